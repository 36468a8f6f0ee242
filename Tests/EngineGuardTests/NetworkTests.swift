import DockerEngine
@testable import EngineGuard
import Glibc
import Model
import Platform
import Synchronization
import TestSupport
import Testing

/// The exits' network where the guard makes it, and the group that may ask.
@Suite(.serialized, .timeLimit(.minutes(1))) struct NetworkTests {
    /// An engine with networks of its own.
    private final class Networks: Sendable {
        /// Subnets by name.
        private let made = Mutex<[String: String]>([:])
        let refusal: String?
        /// - Parameter refusal: of a network that keeps its containers apart.
        init(refusal: String? = nil) { self.refusal = refusal }

        var names: [String] { made.withLock { $0.keys.sorted() } }

        func answer(_ connection: ScriptedConnection, _ request: Arrived) -> Bool {
            let words = request.line.split(separator: " ")
            guard words.count == 2, let name = words[1].split(separator: "/").last, words[1].contains("/networks/") else { return false }
            switch (words[0], name) {
            case ("POST", _): create(connection, request)
            case ("DELETE", _):
                made.withLock { $0[String(name)] = nil }
                connection.answer(204)
            default:
                guard let subnet = made.withLock({ $0[String(name)] }) else {
                    connection.answer(404, #"{"message":"network \#(name) not found"}"#)
                    return true
                }
                connection.answer(200, #"{"Id":"n","Name":"\#(name)","IPAM":{"Config":[{"Subnet":"\#(subnet)"}]}}"#)
            }
            return true
        }

        private func create(_ connection: ScriptedConnection, _ request: Arrived) {
            if let refusal, request.text.contains("enable_icc") {
                connection.answer(403, #"{"message":"\#(refusal)"}"#)
                return
            }
            guard let match = request.text.firstMatch(of: /"Name":"([^"]+)"/) else { return }
            // The engine chooses where it is told none.
            let subnet = request.text.firstMatch(of: /"Subnet":"([^"]+)"/).map { String($0.1).replacing("\\", with: "") }
            made.withLock { $0[String(match.1)] = subnet ?? "172.29.7.0/24" }
            connection.answer(201, #"{"Id":"n"}"#)
        }
    }

    private func with(
        _ networks: Networks, _ kind: EngineGuard.Settings.NewNetwork?, _ body: (GuardSubject) async throws -> Void
    ) async throws {
        let subject = try GuardSubject(newNetwork: kind) { networks.answer($0, $1) }
        do { try await body(subject) } catch {
            await subject.stop()
            throw error
        }
        await subject.stop()
    }

    private static func ask(_ subject: GuardSubject) async throws -> (status: Int, text: String) {
        try await subject.ask("GET", "/v1.41/networks/sallyport")
    }

    @Test func `a network that is missing is made of the guard's own settings, once`() async throws {
        let networks = Networks()
        try await with(networks, .subnet("172.29.9.0/24")) { subject in
            let answers = try await withThrowingTaskGroup(of: (Int, String).self) { group in
                for _ in 0..<8 { group.addTask { try await Self.ask(subject) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.allSatisfy { $0.0 == 200 && $0.1.contains("172.29.9.0/24") }, "\(answers)")
            let made = subject.arrived.filter { $0.line.hasPrefix("POST") }
            #expect(made.map(\.line) == ["POST /v1.41/networks/create"])
            let wanted = NetworkCreate.ofExits("sallyport", subnet: "172.29.9.0/24", owner: "sallyport", keepsApart: true)
            #expect(made.first?.body == (try EngineCoding.encode(wanted)))
        }
    }

    @Test func `an exit with an address of its own makes the guard look too`() async throws {
        let networks = Networks()
        try await with(networks, .subnet("172.29.9.0/24")) { subject in
            let body = try subject.good(address: "172.29.9.20")
            #expect(try await subject.ask("POST", GuardSubject.createTarget, Array(body.utf8)).status == 201)
            #expect(networks.names == ["sallyport"])
        }
    }

    @Test func `one that is there stays as it is, and without the option none is made`() async throws {
        let networks = Networks()
        try await with(networks, nil) { subject in
            let answer = try await Self.ask(subject)
            #expect(answer.status == 404)
            #expect(networks.names == [])
        }
        try await GuardSubject.with { subject in
            let answer = try await Self.ask(subject)
            #expect(answer.status == 200 && subject.asked.count == 1)
        }
    }

    @Test func `a free subnet is the engine's choice, and nothing else is left`() async throws {
        let networks = Networks()
        try await with(networks, .free) { subject in
            let answer = try await Self.ask(subject)
            #expect(answer.text.contains("172.29.7.0/24"))
            #expect(networks.names == ["sallyport"])
        }
    }

    @Test func `an engine that can't keep exits apart makes it all the same, other refusals are told`() async throws {
        try await with(Networks(refusal: "cannot restrict inter-container communication"), .subnet("172.29.9.0/24")) { subject in
            let answer = try await Self.ask(subject)
            #expect(answer.status == 200)
        }
        try await with(Networks(refusal: "Pool overlaps with other one"), .subnet("172.29.9.0/24")) { subject in
            let answer = try await Self.ask(subject)
            #expect(answer.status == 403 && answer.text.contains("Pool overlaps with other one"))
        }
    }

    @Test(arguments: [
        ("POST", "/v1.41/networks/create", #"{"Name":"sallyport"}"#), ("POST", "/v1.41/networks/sallyport/connect", "{}"),
        ("POST", "/v1.41/networks/sallyport/disconnect", "{}"), ("DELETE", "/v1.41/networks/sallyport", ""),
        ("GET", "/v1.41/networks/other", ""), ("POST", "/v1.41/networks/prune", ""), ("GET", "/v1.41/networks", ""),
    ])
    func `a client may do no more with networks than before`(call: (String, String, String)) async throws {
        let networks = Networks()
        try await with(networks, .subnet("172.29.9.0/24")) { subject in
            let answer = try await subject.ask(call.0, call.1, Array(call.2.utf8))
            #expect(answer.status == 403)
            #expect(subject.arrived.isEmpty && networks.names == [])
        }
    }

    // MARK: - Who may ask

    /// Asks as another user.
    private static func ping(_ subject: GuardSubject, groups: String) async throws -> Int32 {
        try await Programs.run(
            "setpriv",
            [
                "--reuid=65534", "--regid=65534", groups, "curl", "-s", "-o", "/dev/null", "--unix-socket", subject.socket,
                "http://engine/_ping",
            ], deadline: 20
        ).status
    }

    @Test(.enabled(if: geteuid() == 0, "only root has other users to try"))
    func `only members of the group may use the socket`() async throws {
        let subject = try GuardSubject(group: "daemon")
        chmod(subject.folder.path, 0o755)
        let (members, others) = (try await Self.ping(subject, groups: "--groups=1"), try await Self.ping(subject, groups: "--clear-groups"))
        var status = stat()
        #expect(stat(subject.socket, &status) == 0 && status.st_mode & 0o7777 == 0o660 && status.st_gid == 1)
        await subject.stop()
        #expect(members == 0 && others != 0)
    }

    @Test func `a group that nobody has is told`() throws {
        let error = try #require(throws: GuardError.self) { try GuardSubject(group: "no-such-group") }
        #expect(error.description.contains("no-such-group is not a group of this system"))
    }
}
