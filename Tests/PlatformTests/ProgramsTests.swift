import Glibc
import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct ProgramsTests {
    @Test(arguments: [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 128 + 15), ("kill -KILL $$", 128 + 9)])
    func `the status is the program's, or tells the signal that ended it`(script: String, status: Int32) async throws {
        #expect(try await Programs.run("sh", ["-c", script]).status == status)
    }

    @Test func `stdout and stderr come together, and stdin is empty`() async throws {
        let result = try await Programs.run("sh", ["-c", "echo out; echo error >&2; cat; printf end"])
        #expect(result.output == "out\nerror\nend")
    }

    @Test func `output ends at a limit, and the program goes on to its end`() async throws {
        let result = try await Programs.run("sh", ["-c", "head -c 5000000 /dev/zero; exit 3"])
        #expect(result.status == 3 && (1 << 20...1 << 21).contains(result.output.utf8.count))
    }

    @Test func `a program that isn't there is an error that names it`() async throws {
        let error = try await #require(throws: ProgramError.self) { try await Programs.run("no-such-program", []) }
        #expect("\(error)" == "running no-such-program: No such file or directory")
    }

    @Test func `the deadline kills the program and all that it started`() async throws {
        let folder = try TemporaryFolder()
        let script = "sleep 100 & echo $! >\(folder.path)/child; echo $$ >\(folder.path)/self; wait"
        let start = ContinuousClock.now
        let error = try await #require(throws: ProgramError.self) { try await Programs.run("sh", ["-c", script], deadline: 0.5) }
        #expect(error.message == "did not end within 0.5 s" && ContinuousClock.now - start < .seconds(10))
        for name in ["child", "self"] {
            let pid = try Files.read("\(folder.path)/\(name)").filter(\.isNumber)
            try await eventually("\(name) is dead") {
                // A zombie that nobody has waited for yet is dead as well.
                guard let status = try? Files.read("/proc/\(pid)/stat") else { return true }
                return status.contains(") Z ")
            }
        }
    }

    @Test func `a program inherits no descriptor and no ignored signal of ours`() async throws {
        Signals.ignorePipe()
        let held = try Ports.listen("127.0.0.1", 0)
        defer { close(held.descriptor) }
        let result = try await Programs.run("sh", ["-c", "ls /proc/self/fd | tr '\\n' ' '; grep SigIgn /proc/self/status"])
        #expect(result.output.hasPrefix("0 1 2 3 SigIgn:"), "3 is the folder that ls reads")
        let ignored = try #require(UInt64(result.output.filter { !$0.isWhitespace }.split(separator: ":")[1], radix: 16))
        // Two signals above 31 are glibc's own.
        #expect(ignored & 0x7FFF_FFFF == 0)
    }

    @Test func `programs that wait hold up neither each other nor our own tasks`() async throws {
        let folder = try TemporaryFolder()
        // Each tells that it runs and waits for a sign that only our own task gives, once all of them run.
        let script = "echo >> \(folder.path)/running; until [ -e \(folder.path)/go ]; do sleep 0.05; done"
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<16 { group.addTask { _ = try await Programs.run("sh", ["-c", script]) } }
            try await eventually("all run at once", within: 25) { (try? Files.read("\(folder.path)/running"))?.utf8.count == 16 }
            try Files.write("", to: "\(folder.path)/go", mode: 0o600)
            try await group.waitForAll()
        }
    }

    @Test func `a program that was detached lives on, its output in a file`() async throws {
        let folder = try TemporaryFolder()
        let pid = try Programs.startDetached("sh", ["-c", "echo begun; exec sleep 100"], log: "\(folder.path)/log")
        try await eventually("it has written") { (try? Files.read("\(folder.path)/log")) == "begun\n" }
        #expect(kill(pid, 0) == 0 && getsid(pid) == pid)
        kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }

    @Test func `only a program that is started to run in batches does, with what it starts`() async throws {
        // Field 41 of /proc/PID/stat, see proc(5): 0 is SCHED_OTHER, 3 is SCHED_BATCH.
        let script = "sh -c 'cut -d \" \" -f 41 /proc/self/stat'"
        // One after the other: threads are used again.
        for number in 0..<16 {
            let isInBatches = number.isMultiple(of: 2)
            let result = try await Programs.run("sh", ["-c", script], inBatches: isInBatches)
            #expect(result.output == (isInBatches ? "3\n" : "0\n"))
        }
    }
}
