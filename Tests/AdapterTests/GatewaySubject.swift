import Glibc
@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
import TestSupport
import Testing

/// A real HAProxy in a folder of its own, with proxy users and scripted exits.
final class GatewaySubject: Sendable {
    static let password = "a-password-of-alice"

    let folder: TemporaryFolder
    let settings: HAProxyConfiguration.Settings
    let gateway: HAProxyGateway
    let ownAddresses: @Sendable () -> [String]
    let client = HTTPClient()

    /// What its exits are shown where a test wants them to be.
    static let credentials = ExitCredentials(root: RootKey(text: Secret(String(repeating: "5c", count: 32))))

    private init(
        _ change: (inout HAProxyConfiguration.Settings) throws -> Void, credentials: ExitCredentials?, log: Log,
        ownAddresses: @escaping @Sendable () -> [String]
    ) throws {
        folder = try TemporaryFolder()
        var settings = HAProxyConfiguration.Settings(
            gatewayAddress: "127.0.0.1", gatewayPort: try Ports.free(), runDirectory: folder.path,
            luaFolder: "\(Repository.root)/haproxy/lua", clientLimit: 100)
        try change(&settings)
        self.ownAddresses = ownAddresses
        self.settings = settings
        gateway = try HAProxyGateway(
            share: "\(Repository.root)/haproxy", settings: settings, credentials: credentials, log: log, ownAddresses: ownAddresses)
    }

    /// The gateway's Lua code with one text of one file replaced, which must be there.
    static func code(_ file: String, replacing text: String, with other: String) throws -> TemporaryFolder {
        let code = try TemporaryFolder()
        for name in try Files.list("\(Repository.root)/haproxy/lua") {
            let whole = try Files.read("\(Repository.root)/haproxy/lua/\(name)")
            let changed = name == file ? whole.replacing(text, with: other) : whole
            #expect((changed != whole) == (name == file), "\(name)")
            try Files.write(changed, to: "\(code.path)/\(name)", mode: 0o600)
        }
        return code
    }

    /// Runs a body and leaves no process behind.
    static func with(
        _ change: (inout HAProxyConfiguration.Settings) throws -> Void = { _ in }, credentials: ExitCredentials? = nil,
        log: Log = .none,
        // Not this machine's: other tests make and remove networks meanwhile.
        ownAddresses: @escaping @Sendable () -> [String] = { ["198.51.100.7"] }, _ body: (GatewaySubject) async throws -> Void
    ) async throws {
        let subject = try GatewaySubject(change, credentials: credentials, log: log, ownAddresses: ownAddresses)
        let result = await Result { try await body(subject) }
        subject.client.close()
        try await subject.gateway.stop()
        try result.get()
    }

    // MARK: - What it is given

    static func user(_ name: String, password: String = GatewaySubject.password) -> ProxyUser {
        ProxyUser(name: name, salt: "0a1b", digest: Digest.sha256("0a1b:\(password)"), createdAt: Timestamp(milliseconds: 0))
    }

    static func pool(_ country: CountryCode, _ used: [GatewaySlot] = [], spread: Spread = .leastConnections) -> GatewayPool {
        var slots = (1...Pool.slots).map(GatewaySlot.free)
        for slot in used { slots[slot.number - 1] = slot }
        return GatewayPool(country: country, slots: slots, spread: spread)
    }

    static func slot(_ number: Int, _ exit: ScriptedServer, _ state: GatewaySlot.State = .ready, weight: Int = 100) -> GatewaySlot {
        slot(number, exit.endpoint, state, weight: weight)
    }

    static func slot(
        _ number: Int, _ endpoint: Endpoint, _ state: GatewaySlot.State = .ready, weight: Int = 100, country: CountryCode = us,
        generation: Int = 1, city: String? = nil, knowsCredential: Bool = true
    ) -> GatewaySlot {
        GatewaySlot(
            number: number, endpoint: endpoint, state: state, weight: weight,
            occupant: GatewayOccupant(
                exit: ExitID(country: country, number: number), generation: generation, city: city, knowsCredential: knowsCredential))
    }

    /// An exit's proxy that answers every request with its own name, CONNECT with a tunnel to such an answer.
    static func exit(_ name: String) throws -> ScriptedServer {
        try ScriptedServer(address: ScriptedServer.ownAddress()) { connection in
            while let head = connection.head() {
                if head.hasPrefix("CONNECT ") {
                    connection.write("HTTP/1.1 200 Established\r\n\r\n")
                } else {
                    connection.answer(200, name, headers: "X-Seen: \(head.lowercased().contains("proxy-auth") ? "credentials" : "nothing")")
                }
            }
        }
    }

    /// An exit's proxy that answers a CONNECT with a tunnel, sends something through it and keeps it open.
    static func holdingExit(_ text: String = "") throws -> ScriptedServer {
        try ScriptedServer(address: ScriptedServer.ownAddress()) { connection in
            _ = connection.head()
            connection.write("HTTP/1.1 200 Established\r\n\r\n" + text)
            connection.hang()
        }
    }

    /// A certificate with its key, as one text.
    static func certificate(_ name: String) async throws -> String {
        let folder = try TemporaryFolder()
        let (key, file) = ("\(folder.path)/key", "\(folder.path)/file")
        let result = try await Programs.run(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=\(name)",
                "-keyout", key, "-out", file,
            ])
        guard result.status == 0 else { throw TimeoutError(what: "a certificate: \(result.output)") }
        return try Files.read(file) + Files.read(key)
    }

    // MARK: - What it does

    /// Who answers so many requests, one after the other.
    func answers(_ count: Int, user: String = "alice-country-us") async throws -> [String: Int] {
        var answers: [String: Int] = [:]
        for _ in 0..<count {
            let answer = try await send(user)
            answers[answer.status == 200 ? answer.text : "\(answer.status) \(answer.headers["x-sallyport-reason"] ?? "")", default: 0] += 1
        }
        return answers
    }

    var workerPid: Int {
        get async throws {
            let text = try await RuntimeSocket(path: settings.statsSocket).send("show info")
            return try #require(RuntimeAnswers.info("Pid", in: text).flatMap { Int($0) })
        }
    }

    var masterPid: Int {
        get async throws {
            let text = try await RuntimeSocket(path: "\(folder.path)/master.sock").send("show proc")
            return try #require(RuntimeAnswers.processes(text).master)
        }
    }

    /// - Parameter deadline: seconds for all of it; 0 for one that is held open.
    func request(
        _ user: String? = "alice-country-us", password: String = GatewaySubject.password, tunnels: Bool = false, deadline: Double = 20
    ) -> HTTPRequest {
        var request = HTTPRequest("GET", "http://target.test:80/")
        request.proxy = "http://127.0.0.1:\(settings.gatewayPort)"
        request.proxyUser = user
        request.proxyPassword = user == nil ? nil : Secret(password)
        request.tunnels = tunnels
        request.deadline = deadline
        return request
    }

    func send(_ user: String? = "alice-country-us", password: String = GatewaySubject.password) async throws -> HTTPResponse {
        try await client.send(request(user, password: password))
    }

    var usersMap: String { "\(folder.path)/users.map" }

    var file: String { (try? Files.read("\(folder.path)/haproxy.cfg")) ?? "" }

    /// True where a reload now would change nothing: the file and its maps say what runs.
    func fileEqualsRuntime(_ layout: GatewayLayout) async throws -> Bool {
        let observation = try await gateway.observe()
        guard !layout.differs(from: observation) else { return false }
        let ready = observation.slots.filter { $0.slot.state == .ready }
            .compactMap { slot in slot.slot.endpoint.map { "    server \(slot.slot.name) \($0) weight \(slot.slot.weight)" } }
        let written = file.split(separator: "\n").map(String.init).filter {
            $0.hasPrefix("    server s") && $0.contains(" weight ") && !$0.hasSuffix("disabled")
        }
        let maps = try layout.maps.map { try Files.read("\(folder.path)/\($0.name)") }
        return ready.sorted() == written.sorted() && maps == layout.maps.map(\.text)
    }
}
