import Catalog
import Control
import FoundationEssentials
import Glibc
import Model
import Platform
import TestSupport
import Testing
import WireGuardFiles

@testable import sallyport

/// A folder of `.conf` files as people have them: of several providers, editors and machines. Each oddity is a file.
@Suite struct OddFilesTests {
    private static let keys = (0..<2).map { _ in WireGuardKeys() }
    private static let server = WireGuardKeys().publicKey

    /// A file, and what is to be understood of it.
    struct Odd: Sendable, CustomTestStringConvertible {
        let name: String
        let bytes: [UInt8]
        let outcome: Outcome
        var testDescription: String { name }

        enum Outcome: Sendable {
            /// Country and city, where it is dialled, and the tunnel's address and resolvers.
            case server(String, String?, String, address: String, dns: [String])
            /// The words of why it is not used.
            case refused(String)
        }

        init(_ name: String, _ text: String, _ outcome: Outcome, as form: (String) -> [UInt8] = { Array($0.utf8) }) {
            (self.name, self.outcome) = (name, outcome)
            bytes = form(text)
        }
    }

    /// A file with these lines of the two sections beside the keys.
    private static func text(_ interface: String, _ peer: String, key: Int = 0) -> String {
        "[Interface]\nPrivateKey = \(keys[key].privateKey.revealed)\n\(interface)\n\n[Peer]\nPublicKey = \(server)\n\(peer)\n"
    }

    private static func crlf(_ text: String) -> [UInt8] { Array(text.replacing("\n", with: "\r\n").utf8) }
    private static func notepad(_ text: String) -> [UInt8] {
        [0xFF, 0xFE] + text.replacing("\n", with: "\r\n").utf16.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
    }

    private static let all = "AllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = "

    static let odd: [Odd] = [
        Odd(
            "se-sto-wg-001.conf",
            text("# Device: Brave Otter\nAddress = 10.64.1.2/32,fc00:bbbb:bbbb:bb01::1:2/128\nDNS = 10.64.0.1", all + "193.0.2.1:51820"),
            .server("SE", "sto", "193.0.2.1:51820", address: "10.64.1.2/32", dns: ["10.64.0.1"])),
        Odd(
            "us-stl.prod.example.com.conf",
            "#\n# Use this configuration with WireGuard client\n#\n"
                + text("Address = 10.14.0.2/16\nDNS = 162.252.172.57, 149.154.159.92", all + "us-stl.prod.example.com:51820"),
            .server(
                "US", "stl", "us-stl.prod.example.com:51820", address: "10.14.0.2/16", dns: ["162.252.172.57", "149.154.159.92"]),
            as: crlf),
        Odd(
            "wg-CH-US-1.conf", text("# Bouncing = 0\nAddress = 10.2.0.2/32\nDNS = 10.2.0.1", "# CH-US#1\n" + all + "193.0.2.3:51820"),
            .server("US", nil, "193.0.2.3:51820", address: "10.2.0.2/32", dns: ["10.2.0.1"])),
        Odd(
            "AirVPN_Germany_UDP-1637-Entry3.conf",
            text(
                "Address = 10.128.9.9/32,fd7d:76ee:e68f:a993::9/128\nMTU = 1320\nDNS = 10.128.0.1, fd7d:76ee:e68f:a993::1",
                "PresharedKey = \(keys[1].privateKey.revealed)\n" + all
                    + "de3.vpn.example.org:1637\nPersistentKeepalive = 15"),
            .server("DE", nil, "de3.vpn.example.org:1637", address: "10.128.9.9/32", dns: ["10.128.0.1"])),
        Odd(
            "notepad-unicode.conf", "# Country: Japan\n# City: Tokyo\n" + text("Address = 10.5.0.2", all + "193.0.2.4:51820"),
            .server("JP", "Tokyo", "193.0.2.4:51820", address: "10.5.0.2/32", dns: ["9.9.9.9", "149.112.112.112"]), as: notepad),
        Odd(
            "nl-marked.conf", "\u{FEFF}" + text("Address = 10.5.0.3/24", all + "193.0.2.5:51820"),
            .server("NL", "marked", "193.0.2.5:51820", address: "10.5.0.3/24", dns: ["9.9.9.9", "149.112.112.112"]), as: crlf),
        Odd(
            "fr-own.conf",
            text(
                "Address = 10.9.0.2/24, 10.9.1.2/24 # two\nDNS = 10.9.0.1, lan, corp.example.com\nListenPort = 51820\nTable = off\n"
                    + "PreUp = true\nPostUp = iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE; touch RUN\nPostDown = touch RUN\n"
                    + "SaveConfig = true\nFwMark = 51820", all + "193.0.2.6:51820"),
            .server("FR", "own", "193.0.2.6:51820", address: "10.9.0.2/24", dns: ["10.9.0.1"])),
        Odd(
            "gb-two-peers.conf",
            text("Address = 10.9.0.7/24", "AllowedIPs = 192.168.7.0/24\nEndpoint = 193.0.2.90:51820")
                + "[Peer]\nPublicKey = \(server)\n\(all)193.0.2.7:51820\n",
            .server("GB", "two", "193.0.2.7:51820", address: "10.9.0.7/24", dns: ["9.9.9.9", "149.112.112.112"])),
        Odd(
            "ca-old-mac.conf", text("Address = 10.9.0.8/24", all + "193.0.2.8:51820"),
            .server("CA", "old", "193.0.2.8:51820", address: "10.9.0.8/24", dns: ["9.9.9.9", "149.112.112.112"]),
            as: { Array($0.replacing("\n", with: "\r").utf8) }),
        Odd(
            "it-lan.conf", text("Address = 10.9.0.9/24", all + "192.168.1.9:51820"),
            .server("IT", "lan", "192.168.1.9:51820", address: "10.9.0.9/24", dns: ["9.9.9.9", "149.112.112.112"])),
        Odd(
            "office.conf", text("Address = 10.9.0.10/24", all + "193.0.2.10:51820"),
            .server("DK", "Aarhus", "193.0.2.10:51820", address: "10.9.0.10/24", dns: ["9.9.9.9", "149.112.112.112"])),
        Odd("wg0.conf", text("Address = 10.9.0.11/24", all + "193.0.2.11:51820"), .refused("wg0.conf says no country")),
        Odd(
            "es-v6.conf", text("Address = 10.9.0.12/24", all + "[2001:db8::1]:51820"),
            .refused("es-v6.conf, line 8: Endpoint [2001:db8::1]:51820 is of IPv6: exits reach servers by IPv4")),
        Odd("pt-empty.conf", "", .refused("pt-empty.conf is no WireGuard file: it is empty")),
        Odd(
            "at-ovpn.conf", "client\ndev tun\nremote at1.example.com 1194\n<ca>\n</ca>\n",
            .refused("at-ovpn.conf is no WireGuard file, but OpenVPN's")),
        Odd(
            "be-amnezia.conf", text("Jc = 4\nAddress = 10.9.0.13/24", all + "193.0.2.13:51820"),
            .refused("be-amnezia.conf, line 3: Jc is AmneziaWG's")),
        Odd(
            "no-key-cut.conf", text("Address = 10.9.0.14/24", all + "193.0.2.14:51820").replacing("PrivateKey", with: "# PrivateKey"),
            .refused("no-key-cut.conf has no PrivateKey")),
        Odd(
            "pl-half.conf", String(text("Address = 10.9.0.15/24", all + "193.0.2.15:51820").prefix(100)),
            .refused("pl-half.conf has no ")),
        Odd("fi-large.conf", String(repeating: "# filled up\n", count: 6_000), .refused("fi-large.conf")),
    ]

    private func with(_ files: [Odd], _ body: (WireGuardServers, String) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        for file in files { try Data(file.bytes).write(to: URL(filePath: "\(folder.path)/\(file.name)")) }
        try Files.write("office.conf: {country: dk, city: Aarhus}\n", to: "\(folder.path)/servers.yaml", mode: 0o600)
        let settings = Configuration.WireGuardSettings(folder: folder.path, facts: WireGuardFolder.standard, devices: 1)
        try await body(WireGuardServers(settings, log: .none), folder.path)
        #expect(try Files.list(folder.path).sorted() == (files.map(\.name) + ["servers.yaml"]).sorted(), "nothing was run or written")
    }

    private func list(_ servers: WireGuardServers) async throws -> [Server] {
        guard case .list(let found, _, _) = try await servers.list(newerThan: nil) else { throw TimeoutError(what: "a list") }
        return found
    }

    private func words(of server: Server, _ servers: WireGuardServers) throws -> String {
        let facts = try servers.access(to: server).facts
        return "\(server.country) \(server.city ?? "-") \(server.address):\(server.port) \(facts.clientAddress) \(facts.dns)"
    }

    @Test(arguments: odd) func `each is a server, or told with its line`(file: Odd) async throws {
        try await with([file]) { servers, folder in
            let found = try await list(servers)
            let check = WireGuardCheck(["\(folder)/\(file.name)"])
            for key in Self.keys { #expect(!"\(check.text) \(check.document.json) \(servers.alerts())".contains(key.privateKey.revealed)) }
            switch file.outcome {
            case .server(let country, let city, let endpoint, let address, let dns):
                let server = try #require(found.first, "\(servers.alerts())")
                #expect(try words(of: server, servers) == "\(country) \(city ?? "-") \(endpoint) \(address) \(dns)")
                #expect(check.isGood && servers.alerts().isEmpty)
            case .refused(let words):
                #expect(found.isEmpty && !check.isGood)
                let message = servers.alerts().first?.message ?? ""
                #expect(message.contains(words), "\(message)")
            }
        }
    }

    @Test func `in one folder none costs another one its server`() async throws {
        try await with(Self.odd) { servers, folder in
            // What lies beside them, and is none: an editor's files, a folder, a pipe.
            let others = ["\(folder)/.us-1.conf.swp", "\(folder)/us-1.conf~", "\(folder)/us-1.conf.bak"]
            for path in others { try Files.write("not read", to: path, mode: 0o600) }
            try Files.makePrivateFolder("\(folder)/us-folder.conf")
            #expect(mkfifo("\(folder)/us-pipe.conf", 0o600) == 0)
            #expect(symlink("\(folder)/gone", "\(folder)/us-link.conf") == 0)
            let found = try await list(servers)
            let expected = Self.odd.compactMap { file in if case .server(let country, _, _, _, _) = file.outcome { country } else { nil } }
            #expect(found.map(\.country.rawValue).sorted() == expected.sorted())
            #expect(Set(found.map(\.account)).count == 1, "one key is one account")
            let check = WireGuardCheck([folder])
            for words in ["us-folder.conf is no file", "us-pipe.conf is no file", "us-link.conf: No such file"] {
                #expect(check.text.contains(words), "\(check.text)")
            }
            #expect(check.text.contains("have one private key") && check.text.contains("all but one may be out of date"))
            for path in others + ["\(folder)/us-folder.conf", "\(folder)/us-pipe.conf", "\(folder)/us-link.conf"] { Files.remove(path) }
        }
    }
}
