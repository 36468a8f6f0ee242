import FoundationEssentials
import Glibc
import HTTPTransport
import Model
import Platform
import Synchronization
import TestSupport
import Testing

/// The program as a whole, whose standard error is a pipe.
@Suite(.timeLimit(.minutes(2)), .enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"))
struct RealLogTests {
    @Test func `a log that nobody reads holds up neither the loop nor the API, and says what it has lost`() async throws {
        let program = try RunningProgram()
        try program.configure(api: "limits: {requests: 9000, strict_requests: 9000}")
        let path = "\(program.folder.path)/log"
        #expect(mkfifo(path, 0o600) == 0)
        // Open for both, so that the pipe stands and nobody reads.
        let reader = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
        defer { close(reader) }
        try await RunningProgram.with([program]) {
            defer { unlink(path) }
            // Far more lines than fit into a pipe and into what waits for it.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask { for _ in 0..<500 { try await program.call("GET", "/api/exits?country=us&state=serving") } }
                }
                try await group.waitForAll()
            }
            func turn() async throws -> Double {
                let lines = try await program.call("GET", "/metrics").text.split(separator: "\n")
                let line = lines.first { $0.hasPrefix("sallyport_loop_last_run_timestamp_seconds ") }
                return line.flatMap { Double($0.split(separator: " ")[1]) } ?? 0
            }
            // Each change and each turn without an engine writes lines too.
            let before = try await turn()
            let begin = ContinuousClock.now
            for number in 0..<3 {
                let answer = try await program.call("POST", "/api/users", #"{"name":"u\#(number)","password":"a-password-of-tests"}"#)
                #expect(answer.status == 201)
            }
            #expect(ContinuousClock.now - begin < .seconds(15))
            try await eventually("the loop goes on", within: 20) { try await turn() > before + 2 }
            guard case .object(let problems)? = try await program.field("problems", of: "/health/ready") else { return }
            #expect(problems["loop"] == nil)
            // Somebody reads again, and hears of what was lost.
            let text = Mutex<String>("")
            try await eventually("the log tells of lost lines", within: 30) {
                var bytes = [UInt8](repeating: 0, count: 1 << 16)
                let count = read(reader, &bytes, bytes.count)
                text.withLock { if count > 0 { $0 += String(decoding: bytes.prefix(count), as: UTF8.self) } }
                return text.withLock { $0.contains(" lines were lost here") }
            }
            try await program.call("POST", "/api/users", #"{"name":"later","password":"a-password-of-tests"}"#)
            try await eventually("and of what comes", within: 20) {
                var bytes = [UInt8](repeating: 0, count: 1 << 16)
                let count = read(reader, &bytes, bytes.count)
                text.withLock { if count > 0 { $0 += String(decoding: bytes.prefix(count), as: UTF8.self) } }
                return text.withLock { $0.contains("user later was added") }
            }
        }
    }
}
