import Catalog
import Control
import Model
import Platform
import TestSupport
import Testing
import WireGuardFiles

@testable import sallyport

/// A folder of WireGuard files as a provider, as it changes while exits run.
@Suite struct WireGuardServersTests {
    private let folder: TemporaryFolder
    private let servers: WireGuardServers
    private let us = CountryCode("us")!  // An ISO code.

    init() throws {
        folder = try TemporaryFolder()
        servers = WireGuardServers(.init(folder: folder.path, facts: WireGuardFolder.standard, devices: 1), log: .none)
    }

    /// - Returns: the private key in it.
    @discardableResult
    private func write(_ name: String, endpoint: String = "193.0.2.10:51820", key: Secret = WireGuardKeys().privateKey) throws -> Secret {
        let text = """
            [Interface]
            PrivateKey = \(key.revealed)
            Address = 10.64.12.34/32
            DNS = 10.64.0.1
            [Peer]
            PublicKey = \(WireGuardKeys().publicKey)
            AllowedIPs = 0.0.0.0/0
            Endpoint = \(endpoint)

            """
        try Files.write(text, to: "\(folder.path)/\(name)", mode: 0o600, isDurable: false)
        return key
    }

    private func list(newerThan stamp: ListStamp? = nil) async throws -> (servers: [Server], dropped: [String: Int], stamp: ListStamp) {
        guard case .list(let servers, let dropped, let stamp) = try await servers.list(newerThan: stamp) else {
            throw TimeoutError(what: "a list")
        }
        return (servers, dropped, stamp)
    }

    private func exit(_ number: Int, on server: Server) -> Exit {
        var exit = Exit(id: ExitID(country: us, number: number), slot: number, now: SystemClock.now())
        exit.server = server
        exit.state = .serving
        return exit
    }

    @Test func `each file is a server with the key that is in it`() async throws {
        let keys = [try write("us-nyc-1.conf"), try write("de-1.conf")]
        try write("nowhere.conf")
        try Files.write("client\nremote 193.0.2.1\n", to: "\(folder.path)/fr-openvpn.conf", mode: 0o600)
        try Files.write("not read", to: "\(folder.path)/notes.txt", mode: 0o600)
        let (found, dropped, stamp) = try await list()
        #expect(found.map(\.hostname) == ["de-1.conf", "us-nyc-1.conf"] && dropped == ["unusable": 2])
        #expect(try found.map { try servers.access(to: $0).privateKey } == keys.reversed())
        #expect(servers.resolvers(of: found[0]) == ["10.64.0.1"])
        guard case .unchanged = try await servers.list(newerThan: stamp) else { throw TimeoutError(what: "no change") }
        let alert = try #require(servers.alerts().first)
        #expect(alert.subject == .files(.wireguard) && alert.message.contains("nowhere.conf says no country"))
        #expect(alert.message.contains("fr-openvpn.conf is no WireGuard file, but OpenVPN's"))
        for key in keys { #expect(!"\(found) \(alert)".contains(key.revealed)) }
    }

    @Test func `a list beside the files says where they are`() async throws {
        try write("office.conf")
        try Files.write("office.conf: {country: de, city: Berlin}\n", to: "\(folder.path)/servers.yaml", mode: 0o600)
        let found = try await list().servers
        #expect(found.first?.country.rawValue == "DE" && found.first?.city == "Berlin" && servers.alerts().isEmpty)
        try Files.write("office.conf: [\n", to: "\(folder.path)/servers.yaml", mode: 0o600)
        _ = try await list()
        #expect(servers.alerts().first?.message.contains("servers.yaml: can't be read: ") == true)
    }

    @Test func `a file that changes or goes while an exit runs on it costs no exit, and gives no other key`() async throws {
        try write("us-1.conf")
        try write("us-2.conf")
        let (before, _, stamp) = try await list()
        let exit = exit(1, on: before[0])
        servers.follow { [exit] }
        #expect(servers.alerts().isEmpty)
        try write("us-1.conf")
        let (changed, _, second) = try await list(newerThan: stamp)
        #expect(changed[0].account != before[0].account)
        #expect(servers.alerts().first?.message.contains("us-1.conf was changed while us-1 runs on it: the exit goes on") == true)
        #expect(throws: ExitFailure.self) { try servers.access(to: before[0]) }
        #expect(try servers.access(to: changed[0]).facts.clientAddress == "10.64.12.34/32")
        Files.remove("\(folder.path)/us-1.conf")
        _ = try await list(newerThan: second)
        #expect(servers.alerts().first?.message.contains("us-1.conf has gone while us-1 runs on it: the exit goes on") == true)
        #expect(servers.resolvers(of: before[0]) == ["10.64.0.1"], "it is probed as before")
    }

    @Test func `a folder that vanishes or is emptied leaves what was read`() async throws {
        let key = try write("us-1.conf")
        let before = try await list().servers
        Files.remove("\(folder.path)/us-1.conf")
        #expect(try await list().servers.isEmpty)
        #expect(try servers.access(to: before[0]).privateKey == key)
        Files.remove(folder.path)
        var words = ""
        do { _ = try await list() } catch { words = "\(error)" }
        #expect(words.hasPrefix("\(folder.path) can't be read: "))
        #expect(try servers.access(to: before[0]).privateKey == key)
    }

    @Test func `a name that leads nowhere, to a private network or to an exit's server is told`() async throws {
        try write("us-1.conf", endpoint: "193.0.2.10:51820")
        for (number, name) in ["nowhere", "private", "taken", "good"].enumerated() {
            try write("us-\(number + 2).conf", endpoint: "\(name).example.com:51820")
        }
        let found = try await list().servers
        let exit = exit(1, on: found[0])
        servers.follow { [exit] }
        let names = found.filter(\.needsResolving).map(\.address) + ["of-a-list.example.com"]
        let answers = [
            "private.example.com": "10.1.2.3", "taken.example.com": "193.0.2.10", "good.example.com": "193.0.2.11",
            "of-a-list.example.com": "10.9.9.9",
        ]
        let checked = servers.checked(answers, of: names)
        #expect(Set(checked.keys) == ["taken.example.com", "good.example.com", "of-a-list.example.com"])
        let message = try #require(servers.alerts().first?.message)
        for words in [
            "us-2.conf: nowhere.example.com has no address",
            "us-3.conf: private.example.com leads to 10.1.2.3, which is no address of the internet",
            "us-4.conf: taken.example.com leads to the server of us-1, and is not used meanwhile",
        ] {
            #expect(message.contains(words), "\(message)")
        }
        #expect(!message.contains("good.example.com"))
        _ = servers.checked(["nowhere.example.com": "193.0.2.12"], of: ["nowhere.example.com"])
        #expect(servers.alerts().first?.message.contains("nowhere") == false, "it is looked up again")
    }

    @Test func `the check says it line by line, never with a key, and ends well only if all is well`() throws {
        let key = try write("us-nyc-1.conf")
        let good = WireGuardCheck(["\(folder.path)/us-nyc-1.conf"])
        #expect(
            good.isGood && good.text.hasPrefix("us-nyc-1.conf: server us-nyc-1.conf in US, nyc (from the file's name), our public key "))
        #expect(good.text.contains("  line 2  used     PrivateKey is used (not shown)"))
        try write("us-nyc-2.conf", endpoint: "nowhere", key: key)
        try write("de-1.conf", key: key)
        let all = WireGuardCheck([folder.path])
        #expect(!all.isGood && all.text.contains("us-nyc-2.conf: can't be used\n"))
        #expect(all.text.contains("  line 8  refused  Endpoint nowhere has no port\n                   -> give a name"), "\(all.text)")
        #expect(all.text.contains("de-1.conf, us-nyc-1.conf have one private key: one exit at a time has it"))
        #expect(all.document["one_key"] == .array([.array([.string("de-1.conf"), .string("us-nyc-1.conf")])]))
        let files = try #require(all.document["files"]?.items)
        #expect(files.compactMap { $0["usable"] } == [.bool(true), .bool(true), .bool(false)])
        let missing = WireGuardCheck(["\(folder.path)/gone.conf"])
        #expect(!missing.isGood && missing.text.contains("gone.conf: No such file or directory"))
        #expect(!"\(all.text) \(all.document.json) \(good.text)".contains(key.revealed.prefix(20)))
    }
}
