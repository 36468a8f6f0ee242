import DockerEngine
import FoundationEssentials
import Glibc
import HTTPTransport
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Lab

/// A real controller, as `sallyport run` starts it, with ports, owner, network and data of its own.
final class ControllerProcess: Sendable {
    let lab: TestLab
    let owner: String
    let apiPort: Int
    let gateway: Endpoint
    private let folder: TemporaryFolder
    let gatewayFolder: String
    /// Controllers that share a store share this too.
    let rootKeyFile: String
    /// Runs from before the first start on; nil for a partner, whose exits the other one's watch sees.
    private let watch = Mutex<ExitsWatch?>(nil)
    private let isPartner: Bool
    /// True in the one test that makes an exit leak.
    private let mayLeak: Bool
    var data: String { "\(folder.path)/d" }
    /// Where its configuration is, `c.yaml`, and what that names.
    var path: String { folder.path }
    private static let program = "\(projectFolder)/.build/debug/sallyport"
    static let password = "a-password-of-the-tests"

    /// - Parameter redis: the socket of a Redis that several controllers share; nil for one of its own.
    /// - Parameter moreProviders: lines for the section `providers`, in which FOLDER is the folder of the configuration.
    /// - Parameter devices: tunnels that the lab's account may have at once.
    /// - Parameter verification: the settings in place of the lab's, from the section `verification` on.
    /// - Parameter accounts: lines in place of the lab's one account; gets the folder of the configuration.
    /// - Parameter partner: another controller, with which it shares engine, gateway and store.
    init(
        _ lab: TestLab, owner: String = randomOwner(), dockerHost: String? = nil, dockerExtra: String = "", drainSeconds: Int = 5,
        redis: String? = nil, partner: ControllerProcess? = nil, mayLeak: Bool = false, moreProviders: String = "",
        devices: Int? = nil, holdSeconds: Int = 3,
        verification: String? = nil,
        accounts: ((String) throws -> String)? = nil
    ) throws {
        self.lab = lab
        self.mayLeak = mayLeak
        isPartner = partner != nil
        self.owner = partner?.owner ?? owner
        folder = try TemporaryFolder()
        apiPort = try Ports.free()
        gateway = try partner?.gateway ?? Endpoint(address: "127.0.0.1", port: Ports.free())
        gatewayFolder = partner?.gatewayFolder ?? "\(folder.path)/d/haproxy"
        rootKeyFile = partner?.rootKeyFile ?? "\(folder.path)/root.key"
        try Files.write(lab.lab.keys.token, to: "\(folder.path)/token", mode: 0o600)
        let account = "    access_token_file: \(folder.path)/token\n"
        let configuration = """
            data_dir: \(folder.path)/d
            share_dir: \(projectFolder)
            root_key_file: \(rootKeyFile)
            log: {level: debug}
            api: {port: \(apiPort)}
            gateway: {port: \(gateway.port), country_ports: 0, client_limit: 1000, pending_limit: 500, drain_seconds: \(drainSeconds), \
            directory: \(gatewayFolder), hold_seconds: \(holdSeconds)}
            redis: {\(redis.map { "url: 'unix://\($0)'" } ?? "")}
            docker:
              host: \(dockerHost ?? engineAddress ?? "")
              owner: \(self.owner)
              network: \(self.owner)
            \(dockerExtra)

            """
            + lab.lab.configuration(apiURL: lab.apiURL, tokenFile: "\(folder.path)/token").replacing(
                "providers:\n", with: "providers:\n\(moreProviders.replacing("FOLDER", with: folder.path))"
            ).replacing(account, with: try accounts?(folder.path) ?? account)
            .replacing("    dns:", with: (devices.map { "    devices: \($0)\n" } ?? "") + "    dns:")
            .replacing(lab.lab.verification, with: verification ?? lab.lab.verification)
        try Files.write(configuration, to: "\(folder.path)/c.yaml", mode: 0o600)
    }

    // MARK: - Life

    var log: String { (try? Files.read("\(folder.path)/log", limit: 64 << 20)) ?? "" }
    var pid: pid_t? { (try? Files.read("\(data)/pid")).flatMap { pid_t($0.filter(\.isNumber)) } }
    var redisPid: pid_t? { (try? Files.read("\(data)/redis/redis.pid")).flatMap { pid_t($0.filter(\.isNumber)) } }
    var haproxyPid: pid_t? { (try? Files.read("\(gatewayFolder)/haproxy.pid")).flatMap { pid_t($0.split(separator: "\n").first ?? "") } }

    /// HAProxy's worker processes, those that finish after a reload included.
    var haproxyWorkers: Set<Int> {
        guard let pid = haproxyPid, let children = try? Files.read("/proc/\(pid)/task/\(pid)/children") else { return [] }
        return Set(children.split(separator: " ").compactMap { Int($0.filter(\.isNumber)) })
    }

    /// Starts the process and returns once its API answers.
    func start() async throws {
        if !isPartner, watch.withLock({ $0 == nil }) {
            let new = try await ExitsWatch(lab, owner: owner)
            watch.withLock { $0 = new }
        }
        let pid = try Programs.startDetached(Self.program, ["run", "--config", "\(folder.path)/c.yaml"], log: "\(folder.path)/log")
        try await eventually("the API answers", within: 20) { [self] in
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == 0 else { throw TimeoutError(what: "the controller ended: \(log)") }
            return (try? await call("GET", "/health/live", deadline: 1))?.status == 200
        }
    }

    /// Runs it to its end: the status, and what it said.
    func startExpectingEnd() async throws -> Programs.Result {
        try await Programs.run(Self.program, ["run", "--config", "\(folder.path)/c.yaml"], deadline: 20)
    }

    /// True where the process has ended by itself; asked once, for it is buried with that.
    var hasEnded: Bool {
        var status: Int32 = 0
        return pid.map { waitpid($0, &status, WNOHANG) != 0 } ?? true
    }

    /// Ends it as a crash would.
    func crash() async throws { try await end(SIGKILL) }
    func stop() async throws { try await end(SIGTERM) }
    /// Stops the process where it is, as a machine that hangs does, and lets it go on.
    func freeze() { if let pid { kill(pid, SIGSTOP) } }
    func thaw() { if let pid { kill(pid, SIGCONT) } }

    private func end(_ signal: Int32) async throws {
        guard let pid else { return }
        kill(pid, signal)
        var status: Int32 = 0
        try await eventually("the controller ends", within: 40) { waitpid(pid, &status, WNOHANG) != 0 }
    }

    /// Takes away everything that it left.
    func clear() async throws {
        await checkCounters()
        try? await stop()
        let running = watch.withLock { $0?.isRunning ?? true }
        #expect(running, "the capture of the exits' packets ended before its time")
        let result = try await Programs.run(Self.program, ["teardown", "--config", "\(folder.path)/c.yaml"], deadline: 60)
        guard result.status == 0 else { throw TimeoutError(what: result.output) }
        try await checkPackets()
    }

    /// The exits' own firewalls have counted nothing either, as far as they were read.
    private func checkCounters() async {
        guard !mayLeak, let metrics = try? await call("GET", "/metrics", deadline: 2).text else { return }
        let counted = metrics.split(separator: "\n").filter { $0.hasPrefix("sallyport_exit_leaked_packets{") && !$0.hasSuffix(" 0") }
        #expect(counted == [], "packets that the exits counted outside of their tunnels")
    }

    /// Not one packet outside of a tunnel, whatever the test was about.
    private func checkPackets() async throws {
        guard let watch = watch.withLock({ $0 }) else { return }
        let (leaks, handshakes) = try await watch.finish()
        #expect(mayLeak != leaks.isEmpty, "packets outside of the tunnels: \(leaks.prefix(10))")
        #expect(handshakes > 0 || !log.contains("verifies its tunnel"), "the capture saw the tunnels begin")
    }

    /// Runs a test with a started controller that has a proxy user, and clears it away, also after a failure.
    static func with(
        _ make: (TestLab) throws -> ControllerProcess = { try ControllerProcess($0) }, _ body: (ControllerProcess) async throws -> Void
    ) async throws {
        let controller = try make(try await TestLab.shared.value)
        do {
            try await controller.start()
            let answer = try await controller.call("POST", "/api/users", #"{"name":"alice","password":"\#(password)"}"#)
            guard answer.status == 201 else { throw TimeoutError(what: "a user: \(answer.text)") }
            try await body(controller)
        } catch {
            // Without what the test itself asked, again and again.
            let log = controller.log.split(separator: "\n").filter { !$0.contains(" GET /") }.joined(separator: "\n")
            try? await controller.clear()
            throw TimeoutError(what: "\(error)\n\(log.suffix(10_000))")
        }
        try await controller.clear()
    }

    // MARK: - As its users

    /// One call of the API with the admin's key.
    @discardableResult
    func call(_ method: String, _ path: String, _ body: String? = nil, key: String? = nil, deadline: Double = 40) async throws
        -> HTTPResponse
    {
        let admin = (try? Files.read("\(data)/admin.key").filter { !$0.isWhitespace }) ?? ""
        var request = HTTPRequest(
            method, "http://127.0.0.1:\(apiPort)\(path)", headers: [("X-API-Key", key ?? admin)], body: body.map { Array($0.utf8) })
        if body != nil { request.headers.append(("Content-Type", "application/json")) }
        request.deadline = deadline
        return try await lab.client.send(request)
    }

    /// What a stream of the API sends to one who has seen `last`, until it is enough or the time is over.
    func stream(_ path: String, after last: String, seconds: Double, until isEnough: (String) -> Bool) async throws -> String {
        let admin = try Files.read("\(data)/admin.key").filter { !$0.isWhitespace }
        var request = HTTPRequest(
            "GET", "http://127.0.0.1:\(apiPort)\(path)", headers: [("X-API-Key", admin), ("Last-Event-ID", last)])
        request.deadline = seconds
        var text = ""
        do {
            for try await bytes in lab.client.stream(request) {
                text += String(decoding: bytes, as: UTF8.self)
                if isEnough(text) { break }
            }
        } catch {}
        return text
    }

    /// Runs a command of the program against it, with the admin's key.
    func command(_ words: String...) async throws -> Programs.Result {
        try await Programs.run(
            Self.program, words + ["--api", "http://127.0.0.1:\(apiPort)", "--key-file", "\(data)/admin.key"], deadline: 60)
    }

    /// The numbers of a flat answer, by name.
    func document(_ path: String) async throws -> [String: Double] {
        guard case .object(let fields) = try JSONDecoder().decode(Document.self, from: Data(try await call("GET", path).body)) else {
            return [:]
        }
        return fields.compactMapValues { value in
            switch value {
            case .integer(let number): Double(number)
            case .number(let number): number
            default: nil
            }
        }
    }

    /// A text of each object in an answer's list.
    func texts(_ path: String, _ list: String, _ field: String) async throws -> [String] {
        guard case .object(let fields) = try JSONDecoder().decode(Document.self, from: Data(try await call("GET", path).body)),
            case .array(let items)? = fields[list]
        else { return [] }
        return items.compactMap { item in
            guard case .object(let fields) = item, case .string(let text)? = fields[field] else { return nil }
            return text
        }
    }

    struct Shown: Decodable, Sendable {
        struct Server: Decodable, Sendable {
            let hostname: String
            let address: String
        }
        let id: String
        let state: String
        let reason: String?
        let detail: String?
        let generation: Int
        let server: Server?
        let provider: String?
        let account: String?
        let exitIP: String?

        enum CodingKeys: String, CodingKey {
            case id, state, reason, detail, generation, server, provider, account
            case exitIP = "exit_ip"
        }
    }

    func exits() async throws -> [Shown] {
        struct Answer: Decodable { let exits: [Shown] }
        return try JSONDecoder().decode(Answer.self, from: Data(try await call("GET", "/api/exits").body)).exits
    }

    /// Asks for an exit and waits until it serves.
    func open(_ country: String) async throws -> Shown {
        let answer = try await call("POST", "/api/exits?wait=20", #"{"country":"\#(country)"}"#)
        let exit = try JSONDecoder().decode(Shown.self, from: Data(answer.body))
        guard exit.state == "serving" else { throw TimeoutError(what: "exit of \(country) serves: \(answer.text)") }
        return exit
    }

    /// One request through the gateway as alice.
    func proxied(_ country: String, url: String = "http://ip.lab.test/ip", deadline: Double = 5) async throws -> HTTPResponse {
        try await lab.get(url, through: gateway, user: "alice-country-\(country)", password: Self.password, deadline: deadline)
    }

    /// The engine's containers of this controller.
    func containers() async throws -> [String] {
        try await lab.engine.listContainers(labels: ["io.sallyport.owner=\(owner)"]).map(\.name)
    }
}

/// Requests through the gateway without a pause, counted.
final class Load: Sendable {
    struct Count: Sendable {
        var succeeded = 0
        var failures: [String] = []
    }

    private let task: Task<Count, Never>
    private let tally: Tally

    /// What has come of the requests so far.
    private final class Tally: Sendable {
        private let state = Mutex((succeeded: 0, hasFailed: false))
        var count: Int { state.withLock { $0.succeeded } }
        var hasFailed: Bool { state.withLock { $0.hasFailed } }
        func add() { state.withLock { $0.succeeded += 1 } }
        func fail() { state.withLock { $0.hasFailed = true } }
    }

    init(_ controller: ControllerProcess, country: String, workers: Int = 3) {
        let tally = Tally()
        self.tally = tally
        task = Task {
            await withTaskGroup(of: Count.self) { group in
                for _ in 0..<workers {
                    group.addTask {
                        var count = Count()
                        while !Task.isCancelled {
                            do {
                                let answer = try await controller.proxied(country)
                                if answer.status == 200 {
                                    count.succeeded += 1
                                    tally.add()
                                } else {
                                    count.failures.append("\(answer.status) \(answer.text)")
                                    tally.fail()
                                }
                            } catch {
                                // The one that was under way when we stopped says nothing.
                                if !Task.isCancelled { count.failures.append("\(error)") }
                            }
                        }
                        return count
                    }
                }
                return await group.reduce(into: Count()) {
                    $0.succeeded += $1.succeeded
                    $0.failures += $1.failures
                }
            }
        }
    }

    /// - Parameter least: requests that are to go well first; a busy machine needs a while for them. Who fails is not waited for.
    func stop(after least: Int = 0) async -> Count {
        _ = try? await eventually("there was load", within: 20) { self.tally.count >= least || self.tally.hasFailed }
        task.cancel()
        return await task.value
    }
}
