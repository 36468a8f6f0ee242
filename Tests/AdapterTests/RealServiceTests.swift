import FoundationEssentials
import Glibc
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

/// The real program as a service: what it tells a service manager, and an HAProxy that another user runs.
@Suite(.serialized, .timeLimit(.minutes(3)), .enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"))
struct RealServiceTests {
    /// The messages up to the one that is wanted, statuses left out.
    private static func messages(_ manager: NotifySocket, until wanted: String) -> [String] {
        var messages: [String] = []
        while messages.last != wanted, let message = manager.next(within: 20) {
            if !message.hasPrefix("STATUS=") { messages.append(String(message.prefix { $0 != "\n" })) }
        }
        return messages
    }

    @Test func `it tells the service manager when it is ready, reloads, is well without an engine, and stops`() async throws {
        let program = try RunningProgram()
        let manager = try NotifySocket("\(program.folder.path)/notify")
        try await RunningProgram.with([program], by: ["env", "NOTIFY_SOCKET=\(manager.name)", "WATCHDOG_USEC=1500000"]) {
            #expect(try await Blocking.run { manager.next(within: 20) } == "READY=1")
            // There is no engine, and no list of a provider either.
            let beats = try await Blocking.run { (0..<30).compactMap { _ in manager.next(within: 5) }.filter { $0 == "WATCHDOG=1" }.count }
            #expect(beats > 10)
            program.signal(SIGHUP)
            let reload = try await Blocking.run { Self.messages(manager, until: "READY=1") }.filter { $0 != "WATCHDOG=1" }
            #expect(reload == ["RELOADING=1", "READY=1"])
            #expect(try await program.stop() == 0)
            let end = try await Blocking.run { Self.messages(manager, until: "STOPPING=1") }.filter { $0 != "WATCHDOG=1" }
            #expect(end == ["STOPPING=1"])
            try await program.start()
        }
    }

    // MARK: - HAProxy as another user

    /// Of Debian's fixed users: who runs the controller, who HAProxy, whose group they share, and a stranger.
    private static let (controller, gateway, group, stranger) = (1, 2, "sys", 6)
    private static let groupNumber = 3

    private static func user(_ number: Int, groups: String = "--clear-groups") -> [String] {
        ["setpriv", "--reuid=\(number)", "--regid=\(number)", groups]
    }

    private static func succeeds(_ words: [String]) async throws -> Bool {
        try await Programs.run(words[0], Array(words.dropFirst()), deadline: 20).status == 0
    }

    private static func mode(_ path: String) -> String {
        var status = stat()
        guard lstat(path, &status) == 0 else { return "none" }
        return "\(String(status.st_mode & 0o7777, radix: 8)) \(status.st_gid)"
    }

    /// As the package's units have it: the folder is there, HAProxy waits for its file.
    private static func startGateway(_ program: RunningProgram, _ folder: String) throws -> pid_t {
        let words =
            user(gateway, groups: "--groups=\(groupNumber)") + [
                "sh", "-c",
                """
                while [ ! -s \(folder)/haproxy.cfg ]; do sleep 0.1; done
                exec haproxy -W -f \(folder)/haproxy.cfg -S \(folder)/master.sock,mode,660,group,\(group)
                """,
            ]
        return try Programs.startDetached(words[0], Array(words.dropFirst()), log: "\(program.folder.path)/gateway.log")
    }

    private static func prepare(_ program: RunningProgram) async throws -> String {
        let folder = "\(program.folder.path)/shared"
        #expect(mkdir(folder, 0o700) == 0)
        #expect(try await succeeds(["chown", "-R", "\(controller):\(controller)", program.folder.path]))
        #expect(chown(folder, uid_t(controller), gid_t(groupNumber)) == 0 && chmod(folder, 0o3770) == 0)
        // Others may pass, and see nothing.
        #expect(chmod(program.folder.path, 0o711) == 0)
        return folder
    }

    @Test(.enabled(if: geteuid() == 0, "only root has other users to try"))
    func `an HAProxy of another user is told everything, and a stranger gets at nothing`() async throws {
        let program = try RunningProgram()
        let folder = try await Self.prepare(program)
        let client = HTTPClient()
        defer { client.close() }
        let haproxy = try Self.startGateway(program, folder)
        defer { kill(haproxy, SIGKILL) }
        let starter =
            ["env", "SALLYPORT_GATEWAY_START=false", "SALLYPORT_GATEWAY_GROUP=\(Self.group)", "SALLYPORT_GATEWAY_DIRECTORY=\(folder)"]
            + ["SALLYPORT_ON_DEMAND_COUNTRIES=all"] + Self.user(Self.controller, groups: "--groups=\(Self.groupNumber)")
        try await RunningProgram.with([program], by: starter) {
            try await eventually("HAProxy runs", within: 40) { Files.exists("\(folder)/stats.sock") }
            #expect(try await program.call("POST", "/api/users", #"{"name":"alice","password":"correct-horse-battery"}"#).status == 201)
            // The user came by the runtime API, and HAProxy asks the controller for a country: both talk across the users.
            try await eventually("a request is answered for alice", within: 40) {
                var request = HTTPRequest("GET", "http://target.test/")
                request.proxy = "http://127.0.0.1:\(program.gatewayPort)"
                (request.proxyUser, request.proxyPassword) = ("alice-country-us", Secret("correct-horse-battery"))
                request.deadline = 20
                return try await client.send(request).headers["x-sallyport-reason"] == "starting"
            }
            try await eventually("a line of the access log", within: 20) {
                (try? Files.read("\(program.folder.path)/d/access.log"))?.contains("user=alice") ?? false
            }
            for name in ["haproxy.cfg", "users.map", "secrets.map", "elsewhere.map", "quotas.map", "fence"] {
                #expect(Self.mode("\(folder)/\(name)") == "640 \(Self.groupNumber)", "\(name)")
            }
            for name in ["stats", "master", "log", "demand"] {
                #expect(Self.mode("\(folder)/\(name).sock") == "660 \(Self.groupNumber)", "\(name)")
            }
            #expect(Self.mode("\(program.folder.path)/d/admin.key") == "600 \(Self.controller)")
            try await strangersAreRefused(program, folder)
        }
    }

    private func strangersAreRefused(_ program: RunningProgram, _ folder: String) async throws {
        let (stranger, member) = (Self.user(Self.stranger), Self.user(Self.gateway, groups: "--groups=\(Self.groupNumber)"))
        for file in ["haproxy.cfg", "users.map", "secrets.map"] {
            #expect(try await !Self.succeeds(stranger + ["cat", "\(folder)/\(file)"]))
            #expect(try await Self.succeeds(member + ["cat", "\(folder)/\(file)"]))
            // HAProxy's user reads what the controller writes, and takes nothing of it away.
            #expect(try await !Self.succeeds(member + ["rm", "-f", "\(folder)/\(file)"]))
        }
        #expect(try await !Self.succeeds(member + ["cat", "\(program.folder.path)/d/admin.key"]))
        #expect(try await !Self.succeeds(member + ["cat", program.rootKeyFile]))
    }
}
