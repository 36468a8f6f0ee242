import FoundationEssentials
import Glibc
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

/// A real `sallyport run` with real Redis and HAProxy, and no engine: what needs no exit.
final class RunningProgram: Sendable {
    let folder: TemporaryFolder
    let port: Int
    private let client = HTTPClient()
    private static let program = Repository.built("sallyport")
    var configuration: String { "\(folder.path)/c.yaml" }
    var log: String { (try? Files.read("\(folder.path)/log", limit: 64 << 20)) ?? "" }
    var pid: pid_t? { (try? Files.read("\(folder.path)/d/pid")).flatMap { pid_t($0.filter(\.isNumber)) } }

    static var isBuilt: Bool { Files.exists(program) }

    /// - Parameters:
    ///   - redis: the socket of a Redis that several share; nil for one of its own.
    ///   - partner: another one, with which it shares gateway and store.
    ///   - provider: the URL of its provider; nobody answers where none is given.
    ///   - others: the URLs of its other providers, by their names.
    init(
        redis: String? = nil, partner: RunningProgram? = nil, provider: String = "http://127.0.0.1:9", others: [String: String] = [:]
    ) throws {
        folder = try TemporaryFolder()
        port = try Ports.free()
        let gateway = try partner.map { ($0.gatewayPort, $0.gatewayFolder) } ?? (Ports.free(), "\(folder.path)/d/haproxy")
        (gatewayPort, gatewayFolder) = gateway
        rootKeyFile = partner?.rootKeyFile ?? "\(folder.path)/root.key"
        self.redis = redis
        self.provider = provider
        self.others = others
        try Files.write("yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n", to: "\(folder.path)/key", mode: 0o600)
        try configure()
    }

    let gatewayPort: Int
    /// Controllers that share a store share this too.
    let rootKeyFile: String
    private let provider: String
    private let others: [String: String]
    private let gatewayFolder: String
    private let redis: String?

    /// Writes the configuration; `api` is what else its section has.
    func configure(api: String = "limits: {requests: 1000, strict_requests: 9000}", more: String = "") throws {
        let others = others.sorted { $0.key < $1.key }.map { name, url in
            "\n  \(name): {api_url: '\(url)', private_key_file: \(folder.path)/key, address: 10.64.0.2/32, dns: [127.0.0.1]}"
        }
        let text = """
            data_dir: \(folder.path)/d
            root_key_file: \(rootKeyFile)
            share_dir: \(Repository.root)
            api: {port: \(port), \(api)}
            gateway: {port: \(gatewayPort), country_ports: 0, directory: \(gatewayFolder)}
            redis: {\(redis.map { "url: 'unix://\($0)'" } ?? "")}
            docker: {host: 'unix://\(folder.path)/no-engine.sock', owner: sallyport-none, network: sallyport-none}
            verification: {urls: ['http://127.0.0.1:9/json'], check_name: check.test}
            providers:
              nordvpn: {api_url: '\(provider)', private_key_file: \(folder.path)/key, dns: [127.0.0.1]}\(others.joined())
            \(more)
            """
        try Files.write(text, to: configuration, mode: 0o600)
    }

    // MARK: - Life

    /// - Parameter starter: a program, with its arguments, that becomes the controller: `env`, `setpriv`.
    func start(by starter: [String] = []) async throws {
        let words = starter + [Self.program, "run", "--config", configuration]
        let pid = try Programs.startDetached(words[0], Array(words.dropFirst()), log: "\(folder.path)/log")
        try await eventually("the API answers", within: 40) { [self] in
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == 0 else { throw TimeoutError(what: "the controller ended: \(log)") }
            return (try? await call("GET", "/health/live"))?.status == 200
        }
    }

    func signal(_ number: Int32) { if let pid { kill(pid, number) } }

    /// Kills it, as a crash would.
    func crash() async throws {
        guard let pid else { return }
        kill(pid, SIGKILL)
        var status: Int32 = 0
        try await eventually("the controller is dead", within: 40) { waitpid(pid, &status, WNOHANG) != 0 }
    }

    /// Ends it in order; its status, or 128 plus the signal that ended it.
    @discardableResult
    func stop(by number: Int32 = SIGTERM) async throws -> Int32 {
        guard let pid else { return 0 }
        kill(pid, number)
        var status: Int32 = 0
        try await eventually("the controller ends", within: 40) { waitpid(pid, &status, WNOHANG) != 0 }
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
    }

    /// Takes away what it left.
    private func clear() async throws {
        client.close()
        try configure()
        // There is no engine, so it can't tell whether there are exits, and does not end well.
        let result = try await sallyport("teardown", "--config", configuration)
        #expect(result.output.contains("removed the gateway"), "\(result.output)")
    }

    /// Runs a test with programs that have started; they are gone at its end.
    static func with(_ programs: [RunningProgram], by starter: [String] = [], _ body: () async throws -> Void) async throws {
        let result = await Result {
            for program in programs { try await program.start(by: starter) }
            try await body()
        }
        let logs = programs.map { $0.log.suffix(3000) }.joined(separator: "\n---\n")
        for program in programs { try await program.stop() }
        for program in programs { try await program.clear() }
        do { try result.get() } catch { throw TimeoutError(what: "\(error)\n\(logs)") }
    }

    // MARK: - As its users

    @discardableResult
    func call(
        _ method: String, _ path: String, _ body: String? = nil, deadline: Double = 30, headers: [(name: String, value: String)] = []
    ) async throws -> HTTPResponse {
        let key = try Files.read("\(folder.path)/d/admin.key").filter { !$0.isWhitespace }
        var request = HTTPRequest(
            method, "http://127.0.0.1:\(port)\(path)", headers: [("X-API-Key", key), ("Content-Type", "application/json")] + headers,
            body: body.map { Array($0.utf8) })
        request.deadline = deadline
        return try await client.send(request)
    }

    /// A field of a JSON answer.
    func field(_ name: String, of path: String) async throws -> Document? {
        let body = try await call("GET", path).body
        guard case .object(let fields)? = try? JSONDecoder().decode(Document.self, from: Data(body)) else { return nil }
        return fields[name]
    }

    func sallyport(_ words: String...) async throws -> Programs.Result {
        try await Programs.run("env", ["-C", "/tmp", Self.program] + words, deadline: 60)
    }

    /// A command that asks this controller.
    func ask(_ words: String...) async throws -> Programs.Result { try await run(words) }

    func run(_ words: [String]) async throws -> Programs.Result {
        let more = ["--api", "http://127.0.0.1:\(port)", "--key-file", "\(folder.path)/d/admin.key"]
        return try await Programs.run("env", ["-C", "/tmp", Self.program] + words + more, deadline: 60)
    }
}
