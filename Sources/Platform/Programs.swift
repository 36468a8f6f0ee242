import CShims
import Dispatch
import Glibc

/// A program that could not be run, or that did not end in time.
package struct ProgramError: Error, CustomStringConvertible {
    package var program: String
    package var message: String
    package var description: String { "running \(program): \(message)" }

    package init(program: String, message: String) {
        self.program = program
        self.message = message
    }
}

/// Runs other programs: in a session of their own, with nothing of ours but their output.
package enum Programs {
    package struct Result: Sendable {
        /// The exit status, or 128 plus the signal that ended it.
        package var status: Int32
        /// stdout and stderr, at most 1 MiB.
        package var output: String
    }

    /// Runs a program to its end; kills it at the deadline.
    /// - Parameters:
    ///   - deadline: seconds.
    ///   - inBatches: whether it, and all that it starts, runs as SCHED_BATCH: woken it doesn't push others aside, so it finds
    ///     more to do at once. Where that is refused it runs as everything does.
    package static func run(
        _ program: String, _ arguments: [String], deadline: Double = 30, inBatches: Bool = false
    ) async throws -> Result {
        try await Blocking.run { try runBlocking(program, arguments, deadline: deadline, inBatches: inBatches) }
    }

    private static func runBlocking(
        _ program: String, _ arguments: [String], deadline: Double, inBatches: Bool
    ) throws -> Result {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw ProgramError(program: program, message: String(cString: strerror(errno))) }
        defer { close(ends[0]) }
        let spawned = Swift.Result { try spawn(program, arguments, output: ends[1], inBatches: inBatches) }
        close(ends[1])
        let pid = try spawned.get()
        let collected = collect(from: ends[0], seconds: deadline)
        if collected == nil { kill(-pid, SIGKILL) }
        let status = wait(for: pid)
        guard let output = collected else { throw ProgramError(program: program, message: "did not end within \(deadline) s") }
        return Result(status: status, output: String(decoding: output, as: UTF8.self))
    }

    private static func spawn(_ program: String, _ arguments: [String], output: Int32, inBatches: Bool) throws -> pid_t {
        let words = ([program] + arguments).map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        let pid = shim_spawn_detached(program, words, output, inBatches)
        guard pid > 0 else { throw ProgramError(program: program, message: String(cString: strerror(-pid))) }
        return pid
    }

    /// Blocks until a child of ours has ended.
    /// - Returns: its exit status, or 128 plus the signal that ended it.
    package static func wait(for pid: Int32) -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
    }

    /// The first MiB or so of what comes through a pipe until its end; nil where that does not come in time.
    private static func collect(from descriptor: Int32, seconds: Double) -> [UInt8]? {
        var output: [UInt8] = []
        let end = DispatchTime.now().uptimeNanoseconds + UInt64(seconds * 1e9)
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let now = DispatchTime.now().uptimeNanoseconds
            let left = now < end ? Int32(clamping: (end - now) / 1_000_000 + 1) : 0
            var question = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&question, 1, left)
            if ready < 0, errno == EINTR { continue }
            guard ready > 0 else { return nil }
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return output }
            if output.count < 1 << 20 { output += chunk.prefix(count) }
        }
    }
}

/// This process's environment.
package enum ProcessEnvironment {
    /// "NAME=value"
    package static func all() -> [String] {
        var entries: [String] = []
        guard var pointer = shim_environment() else { return [] }
        while let entry = pointer.pointee {
            entries.append(String(cString: entry))
            pointer += 1
        }
        return entries
    }

    /// The values by name.
    package static func values() -> [String: String] {
        let pairs = all().map { $0.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init) }
        return Dictionary(pairs.compactMap { $0.count == 2 ? ($0[0], $0[1]) : nil }) { $1 }
    }
}

extension Programs {
    /// Starts a program that outlives us, its output appended to a file; returns its pid.
    package static func startDetached(_ program: String, _ arguments: [String], log: String) throws -> Int32 {
        let output = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard output >= 0 else { throw FileError(action: "opening", path: log, code: errno) }
        defer { close(output) }
        return try spawn(program, arguments, output: output, inBatches: false)
    }
}
