import Glibc
import Model
import Platform
import TestSupport
import Testing

/// How a real program ends: its status, and what it says.
@Suite(.serialized, .timeLimit(.minutes(3)), .enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"))
struct RealStatusTests {
    /// Runs the program to its end in a shell, which tells its status.
    private func run(_ program: RunningProgram, environment: String = "") async throws -> Programs.Result {
        try await Programs.run(
            "sh", ["-c", "cd /tmp && exec env \(environment) \(Repository.built("sallyport")) run --config \(program.configuration)"],
            deadline: 60)
    }

    @Test(arguments: [SIGTERM, SIGINT]) func `a signal ends it with status 0, and what it started goes on`(signal: Int32) async throws {
        let program = try RunningProgram()
        try await RunningProgram.with([program]) {
            try await eventually("HAProxy runs", within: 40) { Files.exists("\(program.folder.path)/d/haproxy/haproxy.pid") }
            let redis = try #require(pid_t(try Files.read("\(program.folder.path)/d/redis/redis.pid").filter(\.isNumber)))
            #expect(try await program.stop(by: signal) == 0)
            let lines = program.log.split(separator: "\n")
            #expect(lines.contains { $0.contains("the controller stops; exits, gateway and store keep running") })
            #expect(!lines.contains { $0.contains("has not stopped") || $0.contains("ended unexpectedly") }, "\(program.log)")
            #expect(kill(redis, 0) == 0)
            try await program.start()
        }
    }

    @Test(arguments: ["api", "gateway"]) func `a port that somebody has is named before anything is started`(section: String)
        async throws
    {
        let taken = try ScriptedServer { _ in }
        let program = try RunningProgram()
        let port = section == "api" ? program.port : program.gatewayPort
        let text = try Files.read(program.configuration)
        try Files.write(
            text.replacing("\(section): {port: \(port)", with: "\(section): {port: \(taken.port)"), to: program.configuration, mode: 0o600)
        let result = try await run(program)
        let last = result.output.split(separator: "\n").last ?? ""
        #expect(result.status == 1, "\(result.output)")
        #expect(
            last.hasPrefix("sallyport: the \(section == "api" ? "API" : "gateway") ") && last.hasSuffix("; set \(section).port"), "\(last)")
        #expect(!Files.exists("\(program.folder.path)/d/redis/redis.pid"))
    }

    @Test func `a private Redis that can't be started is named`() async throws {
        let program = try RunningProgram()
        let result = try await run(program, environment: "PATH=/nowhere")
        #expect(result.status == 1 && result.output.split(separator: "\n").last?.contains("redis-server") ?? false, "\(result.output)")
        #expect(!result.output.contains("the controller stops"), "nobody has asked for it")
    }
}
