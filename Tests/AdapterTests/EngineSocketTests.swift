@testable import DockerEngine
import FoundationEssentials
import Glibc
import HTTPTransport
import Model
import Platform
import Synchronization
import TestSupport
import Testing

/// Engines, networks and kernels as they are elsewhere.
@Suite(.timeLimit(.minutes(1))) struct EngineSocketTests {
    /// A socket in the file system on which nobody listens, as a killed engine leaves it.
    private func leave(_ path: String) throws {
        let server = try ScriptedServer(unix: path) { $0.hang() }
        server.stop()
    }

    private func message(_ path: String) async throws -> String {
        let client = HTTPClient()
        defer { client.close() }
        let engine = try EngineClient(address: path, client: client)
        return try await #require(throws: EngineError.self) { try await engine.listContainers(labels: []) }.message
    }

    @Test func `a socket that is missing, shut, left behind or none has its own message, with what to do`() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/docker.sock"
        let missing = try await message(path)
        #expect(missing == "\(path) is not there: start Docker (systemctl start docker), or set docker.host to the engine's socket")
        try leave(path)
        let left = try await message("unix://\(path)")
        #expect(left == "nobody listens on \(path), which an engine has left behind: start Docker (systemctl start docker)")
        // Root may open everything, so that what the kernel would say is given.
        chmod(path, 0o660)
        chown(path, 0, 4242)
        let shut = try #require(EngineSocket.words(EACCES, path))
        #expect(shut.contains("may not open \(path): add it to the group 4242 (usermod -aG 4242 USER)"), "\(shut)")
        chmod(path, 0o600)
        #expect(try #require(EngineSocket.words(EACCES, path)).hasSuffix("run the controller as root"))
        #expect(EngineSocket.words(EACCES, "/proc/1/nothing/x")?.contains("folders above") == true)
        #expect(Set([missing, left, shut]).count == 3)
        let file = "\(folder.path)/file"
        try Files.write("", to: file, mode: 0o600)
        #expect(try await message(file).hasPrefix("\(file) is not a socket"))
        #expect(try await message(folder.path).hasPrefix("\(folder.path) is not a socket"))
    }

    @Test func `Podman is told apart, in one sentence`() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/podman.sock"
        let podman = try ScriptedServer(unix: path) { connection in
            _ = connection.head()
            connection.answer(200, "OK", headers: "Api-Version: 1.41", "Libpod-Api-Version: 4.3.1")
        }
        defer { podman.stop() }
        let told = try await message(path)
        #expect(
            told.hasPrefix("what answers on \(path) is Podman, which does not say")
                && told.hasSuffix("set docker.host to a Docker Engine's socket"))
    }

    @Test func `an image is imported under one name with its tag, as Podman reads it too`() async throws {
        let lines = Mutex<[String]>([])
        try await ScriptedEngine.answering { connection, line, _ in
            lines.withLock { $0.append(line) }
            connection.answer(200, #"{"status":"done"}"# + "\n", headers: "Connection: close")
        } body: { engine, _ in
            try await engine.importImage("sallyport-exit:0123abcd", archive: [1, 2], changes: ExitImage.changes)
            try await engine.importImage("host:5000/a/b:c", archive: [1], changes: [])
        }
        let paths = lines.withLock { $0 }.filter { $0.contains("/images/create") }
        #expect(paths[0].contains("repo=sallyport-exit%3A0123abcd&changes=") && !paths.joined().contains("tag="), "\(paths)")
        #expect(paths[1].hasSuffix("fromSrc=-&repo=host%3A5000%2Fa%2Fb%3Ac"), "\(paths)")
    }

    private func network(_ ranges: String) throws -> NetworkDetails {
        let text = #"{"Id":"1","Name":"n","IPAM":{"Config":[\#(ranges)]}}"#
        return try EngineCoding.decode(NetworkDetails.self, from: Array(text.utf8))
    }

    @Test(
        arguments: [
            (#"{"Subnet":"fd00:1::/64","Gateway":"fd00:1::1"},{"Subnet":"172.31.9.0/24","Gateway":"172.31.9.254"}"#, "172.31.9.254"),
            (#"{"Subnet":"172.31.9.0/24","Gateway":"172.31.9.1/24"},{"Subnet":"fd00:1::/64","Gateway":"fd00:1::1"}"#, "172.31.9.1"),
            (#"{"Subnet":"fd00:1::/64","Gateway":"fd00:1::1"},{"Subnet":"172.31.9.0/24"}"#, "172.31.9.1"),
            (#"{"Subnet":"172.31.9.16/28","Gateway":""}"#, "172.31.9.17"), (#"{"Subnet":"fd00:1::/64","Gateway":"fd00:1::1"}"#, nil),
            (#"{"Gateway":"172.31.9.1"}"#, nil),
        ] as [(String, String?)])
    func `a network's gateway is its IPv4 one, wherever it stands`(ranges: String, wanted: String?) throws {
        #expect(try network(ranges).gateway == wanted)
    }

    @Test func `on a kernel without IPv6 an exit has no setting of it, and the rest of its template`() throws {
        let exit = try #require(ExitID("us-1"))
        func container(_ hasIPv6: Bool) -> ContainerCreate {
            ExitTemplate(
                owner: "o", image: "i", network: "n", exit: exit, generation: 1, server: "198.18.0.1", fingerprint: "0123456789abcdef",
                fence: 1, hasIPv6: hasIPv6
            ).container
        }
        let (with, without) = (container(true).hostConfig.sysctls, container(false).hostConfig.sysctls)
        #expect(with["net.ipv6.conf.all.disable_ipv6"] == "1" && without.keys.allSatisfy { !$0.contains("ipv6") })
        #expect(without.count == with.count - 1 && container(false).hostConfig.capDrop == ["ALL"])
    }

    @Test func `an exit with IPv6 has it in interfaces that are made later, and says so`() throws {
        let exit = try #require(ExitID("us-1"))
        let container = ExitTemplate(
            owner: "o", image: "i", network: "n", exit: exit, generation: 1, server: "198.18.0.1", fingerprint: "0123456789abcdef",
            fence: 1, tunnelHasIPv6: true, hasIPv6: true
        ).container
        #expect(container.hostConfig.sysctls.filter { $0.key.contains("ipv6") } == ["net.ipv6.conf.default.disable_ipv6": "0"])
        #expect(container.labels[ExitLabel.ipv6] == "1")
    }

    @Test(
        arguments: [
            (["2606:4700::9", "198.18.200.2", "::ffff:198.18.0.1", "fe80::1", "fd00::1", "2606:4700::9/128"], "2606:4700::9"),
            (["2606:4700:1:2:3::/48", "::/0"], "2606:4700:1::/48,::/0"), (["2001:db8::/32", "::1"], ""), ([], ""),
        ] as [([String], String)])
    func `what else is refused by IPv6 is told to exits that have it`(networks: [String], line: String) {
        let refused = RefusedTargets(networks: networks)
        #expect(refused.lines(hasIPv6: true).contains("REFUSED6=\(line)"))
        #expect(!refused.lines(hasIPv6: false).contains { $0.hasPrefix("REFUSED6") })
    }

    /// Answers a question about a network, or its removal.
    /// - Parameter networks: those that there are.
    private static func answer(_ line: String, about networks: [String], _ connection: ScriptedConnection) {
        let name = String(line.split(separator: "/").last ?? "")
        if line.hasPrefix("DELETE") { return _ = connection.answer(204, headers: "Connection: close") }
        guard networks.contains(name) else { return _ = connection.answer(404, #"{"message":"none"}"#, headers: "Connection: close") }
        let text =
            #"{"Id":"1","Name":"\#(name)","Labels":{"io.sallyport.owner":"o","io.sallyport.addresses":"chosen"},"#
            + #""IPAM":{"Config":[{"Subnet":"172.31.9.0/24","Gateway":"172.31.9.1"}]}}"#
        connection.answer(200, text, headers: "Connection: close")
    }

    @Test(
        arguments: [
            "Cannot restrict inter-container communication or run without the userland proxy: stat /proc/sys/net/bridge/bridge-nf-call-iptables: no such file or directory: set environment variable DOCKER_IGNORE_BR_NETFILTER_ERROR=1 to ignore",
            "cannot restrict inter-container communication: please ensure that br_netfilter kernel module is loaded",
        ])
    func `without br_netfilter the exits' network is made all the same, with a warning`(words: String) async throws {
        let made = Mutex<[String]>([])
        let networks = Mutex<[String]>([])
        try await ScriptedEngine.answering { connection, line, body in
            if line.hasSuffix("/networks/create") {
                guard !body.contains("enable_icc") || body.contains("-subnet") else {
                    return _ = connection.answer(500, #"{"message":"\#(words)"}"#, headers: "Connection: close")
                }
                made.withLock { $0.append(body) }
                networks.withLock { $0.append(body.contains("exits-subnet") ? "exits-subnet" : "exits") }
                return _ = connection.answer(201, #"{"Id":"1"}"#, headers: "Connection: close")
            }
            Self.answer(line, about: networks.withLock { $0 }, connection)
        } body: { engine, _ in
            let folder = try TemporaryFolder()
            let file = open("\(folder.path)/log", O_WRONLY | O_CREAT, 0o600)
            defer { close(file) }
            let log = Log(descriptor: file)
            let exits = ExitContainers(
                engine: engine, settings: .init(owner: "o", image: "i", imageArchive: nil, network: "exits", subnet: nil), log: log)
            #expect(try await exits.prepareNetwork() == "172.31.9.1")
            let last = try #require(made.withLock { $0.last })
            #expect(last.contains("172.31.9.0") && !last.contains("enable_icc"), "\(last)")
            try await eventually("it is told") { try Files.read("\(folder.path)/log").contains("br_netfilter") }
        }
    }

    /// Engines have been seen to make two networks of one name for two who ask at once, and then no exit starts.
    @Test func `the exits' network is made once, however many need it at the same time`() async throws {
        let made = Mutex<[String]>([])
        try await ScriptedEngine.answering { connection, line, body in
            if line.hasSuffix("/networks/create") {
                made.withLock { $0.append(body.contains("exits-subnet") ? "exits-subnet" : "exits") }
                return _ = connection.answer(201, #"{"Id":"1"}"#, headers: "Connection: close")
            }
            Self.answer(line, about: made.withLock { $0 }, connection)
        } body: { engine, _ in
            let exits = ExitContainers(
                engine: engine, settings: .init(owner: "o", image: "i", imageArchive: nil, network: "exits", subnet: nil), log: .none)
            try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<8 { group.addTask { try await exits.prepareNetwork() } }
                for try await gateway in group { #expect(gateway == "172.31.9.1") }
            }
            #expect(made.withLock { $0 } == ["exits-subnet", "exits"])
        }
    }
}
