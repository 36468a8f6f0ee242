import DockerEngine
@testable import EngineGuard
import Glibc
import Model
import Platform
import Synchronization
import TestSupport

/// A request as the engine got it, byte for byte.
struct Arrived: Hashable, Sendable {
    var head: String
    var body: [UInt8]
    /// "POST /v1.41/containers/create?name=..."
    var line: String { head.split(separator: "\r\n").first.map { String($0.dropLast(" HTTP/1.1".count)) } ?? "" }
    var text: String { String(decoding: body, as: UTF8.self) }
}

/// A guard before an engine that writes down what it is asked, and answers as Docker does.
final class GuardSubject: Sendable {
    static let id = String(repeating: "c0", count: 32)
    static let exec = String(repeating: "e1", count: 32)
    static let archive = [UInt8](repeating: 7, count: 200_000)

    let folder: TemporaryFolder
    let guardian: EngineGuard
    let socket: String
    let image: String
    private let engine: ScriptedServer
    private let requests: Requests

    final class Requests: Sendable {
        let all = Mutex<[Arrived]>([])
    }

    var arrived: [Arrived] { requests.all.withLock { $0 } }
    /// What arrived but the guard's own questions.
    var asked: [Arrived] { arrived.filter { !$0.line.contains("/containers/sallyport-") } }
    func forget() { requests.all.withLock { $0 = [] } }

    /// - Parameters:
    ///   - away: a socket on which no engine answers.
    ///   - script: answers in place of Docker; false where it does not.
    init(
        connections: Int = 128, requestSeconds: Double = 10, away: String? = nil, log: Log = .none,
        newNetwork: EngineGuard.Settings.NewNetwork? = nil, group: String? = nil,
        _ script: @escaping @Sendable (ScriptedConnection, Arrived) -> Bool = { _, _ in false }
    ) throws {
        let folder = try TemporaryFolder()
        let requests = Requests()
        engine = try ScriptedServer(unix: "\(folder.path)/engine.sock") { connection in
            guard let request = connection.request() else { return }
            let arrived = Arrived(head: request.head, body: request.body)
            requests.all.withLock { $0.append(arrived) }
            if !script(connection, arrived) { Self.answer(connection, arrived) }
        }
        let archive = "\(folder.path)/exit.tar"
        try Files.write(String(decoding: Self.archive, as: UTF8.self), to: archive, mode: 0o600)
        socket = "\(folder.path)/guard.sock"
        var settings = EngineGuard.Settings(listen: socket, engine: "\(folder.path)/engine.sock")
        settings.imageArchive = archive
        (settings.connections, settings.requestSeconds) = (connections, requestSeconds)
        settings.engine = away ?? settings.engine
        (settings.newNetwork, settings.group) = (newNetwork, group)
        guardian = try EngineGuard(settings, log: log)
        image = "sallyport-exit:\(guardian.rules.tag ?? "dev")"
        self.folder = folder
        self.requests = requests
    }

    static func with(_ body: (GuardSubject) async throws -> Void) async throws {
        let subject = try GuardSubject()
        do { try await body(subject) } catch {
            await subject.stop()
            throw error
        }
        await subject.stop()
    }

    func stop() async {
        await guardian.stop()
        engine.stop()
    }

    private static func answer(_ connection: ScriptedConnection, _ request: Arrived) {
        let target = request.line.split(separator: " ").last.map(String.init) ?? ""
        switch target {
        case "/_ping": connection.answer(200, "OK", headers: "Api-Version: 1.41")
        case _ where target.contains("/containers/sallyport-"): connection.answer(200, details(target))
        case _ where target.contains("/networks/"):
            connection.answer(
                200, #"{"Id":"n","Name":"sallyport","IPAM":{"Config":[{"Subnet":"172.30.240.0/24","Gateway":"172.30.240.1"}]}}"#)
        case _ where target.hasSuffix("/exec"): connection.answer(201, #"{"Id":"\#(exec)"}"#)
        case _ where target.contains("/containers/create"): connection.answer(201, #"{"Id":"\#(id)","Warnings":[]}"#)
        case _ where target.contains("/containers/json"): connection.answer(200, "[]")
        case _ where request.line.hasPrefix("DELETE"): connection.answer(204)
        case _ where target.hasSuffix("\(exec)/json"): connection.answer(200, #"{"ExitCode":0}"#)
        case _ where target.contains("/images/sallyport"): connection.answer(200, #"{"Id":"sha256:1"}"#)
        default: connection.answer(200, "{}")
        }
    }

    /// What Docker says of a container of that name; `us-99` is somebody else's.
    private static func details(_ target: String) -> String {
        let name = target.split(separator: "/").first { $0.hasPrefix("sallyport-") } ?? ""
        let parts = name.split(separator: "-")
        guard parts.count == 4 else { return "{}" }
        let owner = parts[2] == "99" ? "other" : "sallyport"
        return """
            {"Id":"\(id)","Name":"/\(name)","State":{"Status":"running","Running":true,"ExitCode":0,"Pid":1},"NetworkSettings":{"Networks":{}},
            "Config":{"Labels":{"io.sallyport.owner":"\(owner)","io.sallyport.exit":"\(parts[1])-\(parts[2])",
            "io.sallyport.generation":"\(parts[3].dropFirst())"}}}
            """
    }

    // MARK: - Asking

    /// Sends bytes, says that there are no more, and returns all that comes back.
    func ask(_ bytes: [UInt8]) async throws -> (status: Int, text: String) {
        try await Blocking.run { [socket] in
            let channel = try Channel.connected(to: socket)
            try? channel.write(bytes)
            shutdown(channel.descriptor, Int32(SHUT_WR))
            var answer: [UInt8] = []
            while case let piece = try channel.read(by: .now + .seconds(20)), !piece.isEmpty { answer += piece }
            let text = String(decoding: answer, as: UTF8.self)
            return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0, text)
        }
    }

    func ask(_ method: String, _ target: String, _ body: [UInt8] = [], headers: String...) async throws -> (status: Int, text: String) {
        try await ask(Self.request(method, target, body, headers: headers))
    }

    static func request(_ method: String, _ target: String, _ body: [UInt8] = [], headers: [String] = []) -> [UInt8] {
        let lines = headers.map { "\($0)\r\n" }.joined()
        let length = method == "GET" ? "" : "Content-Length: \(body.count)\r\n"
        return Array("\(method) \(target) HTTP/1.1\r\nHost: engine\r\n\(lines)\(length)\r\n".utf8) + body
    }

    // MARK: - What an exit is made of

    func template(address: String? = nil, tunnelHasIPv6: Bool = false) -> ExitTemplate {
        // Known by every test.
        guard let exit = ExitID("us-1") else { preconditionFailure("us-1 is an exit's name") }
        return ExitTemplate(
            owner: "sallyport", image: image, network: "sallyport", exit: exit, generation: 3, server: "198.18.1.10",
            fingerprint: "0123456789abcdef", fence: 7, address: address, tunnelHasIPv6: tunnelHasIPv6)
    }

    func good(address: String? = nil, tunnelHasIPv6: Bool = false) throws -> String {
        String(decoding: try EngineCoding.encode(template(address: address, tunnelHasIPv6: tunnelHasIPv6).container), as: UTF8.self)
    }

    static let createTarget = "/v1.41/containers/create?name=sallyport-us-1-g3"
    static let container = "/v1.41/containers/sallyport-us-1-g3"
}
