import Glibc
@testable import HAProxyControl
import Model
import Platform
import Synchronization
import TestSupport
import Testing

/// The access log's file, which others rename and empty, on a disk that gets full.
@Suite(.timeLimit(.minutes(1))) struct AccessLogTests {
    /// A log that runs, and what sends lines to it as HAProxy does.
    private final class Writing: Sendable {
        let log: AccessLog
        let file: String
        private let socket: String
        private let descriptor: Int32
        private let task: Task<Void, Never>

        init(_ folder: String, sizeLimit: Int = 64 << 20) async throws {
            file = "\(folder)/access.log"
            let place = "\(try Self.socketFolder.get().path)/\(UInt32.random(in: .min ... .max)).sock"
            socket = place
            let log = AccessLog(socket: place, file: file, sizeLimit: sizeLimit, quietSeconds: 1, log: .none)
            self.log = log
            task = Task { await log.run() }
            descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            try await eventually("it listens") { Files.exists(place) }
        }

        private static let socketFolder = Result { try TemporaryFolder() }

        func send(_ number: Int, padding: Int = 0) {
            var name = sockaddr_un()
            name.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: socket.utf8) }
            let bytes = Array("time=\(number) user=alice\(String(repeating: "x", count: padding)) end=--".utf8)
            _ = withUnsafePointer(to: &name) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(descriptor, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        }

        func lines(of path: String? = nil) -> [Substring] {
            ((try? Files.read(path ?? file, limit: 64 << 20)) ?? "").split(separator: "\n")
        }

        func end() async {
            task.cancel()
            await task.value
            close(descriptor)
        }
    }

    @Test func `a file that is renamed, cut off or removed is left within a second, and no line is lost`() async throws {
        let folder = try TemporaryFolder()
        let writing = try await Writing(folder.path)
        writing.send(1)
        try await eventually("it is written") { writing.lines().count == 1 }
        rename(writing.file, "\(writing.file)-old")
        try await eventually("there is a new one", within: 1) { Files.exists(writing.file) }
        writing.send(2)
        try await eventually("it is written there") { writing.lines().first?.hasPrefix("time=2 ") ?? false }
        #expect(writing.lines(of: "\(writing.file)-old").count == 1)
        truncate(writing.file, 0)
        writing.send(3)
        try await eventually("it begins at the start") { writing.lines().first?.hasPrefix("time=3 ") ?? false }
        unlink(writing.file)
        try await eventually("there is a new one", within: 1) { Files.exists(writing.file) }
        writing.send(4)
        try await eventually("it is written there") { writing.lines().first?.hasPrefix("time=4 ") ?? false }
        // What logrotate's `create` does.
        rename(writing.file, "\(writing.file)-old")
        try Files.write("", to: writing.file, mode: 0o640)
        try await eventually("the new one is found", within: 1) {
            writing.send(5)
            try await Task.sleep(for: .milliseconds(20))
            return !writing.lines().isEmpty
        }
        await writing.end()
        #expect(writing.log.alert == nil)
    }

    @Test func `a file that has become too long makes room for a new one`() async throws {
        let folder = try TemporaryFolder()
        let writing = try await Writing(folder.path, sizeLimit: 2_000)
        var sent = 0
        try await eventually("it was turned") {
            sent += 1
            writing.send(sent, padding: 100)
            return Files.exists("\(writing.file).1")
        }
        try await eventually("all are there") { writing.lines(of: "\(writing.file).1").count + writing.lines().count == sent }
        await writing.end()
    }

    @Test(.enabled(if: geteuid() == 0))
    func `on a full disk lines are lost whole, counted, told of, and an alert stands until there is room`()
        async throws
    {
        let folder = try TemporaryFolder()
        let mounted = try await Programs.run("mount", ["-t", "tmpfs", "-o", "size=32k", "tmpfs", folder.path])
        try #require(mounted.status == 0, "\(mounted.output)")
        defer { umount2(folder.path, Int32(MNT_DETACH)) }
        let writing = try await Writing(folder.path)
        let before = Metrics.accessLogLost.total
        writing.send(1)
        try await eventually("it is written") { writing.lines().count == 1 }
        #expect(writing.log.alert == nil)
        // All but what is left of the file's own page.
        _ = try await Programs.run("sh", ["-c", "head -c 1000000 /dev/zero >\(folder.path)/filler"])
        var sent = 1
        try await eventually("lines are lost", within: 20) {
            sent += 1
            writing.send(sent, padding: 300)
            return writing.log.alert != nil
        }
        for _ in 0..<50 {
            sent += 1
            writing.send(sent, padding: 300)
        }
        let alert = try #require(writing.log.alert)
        #expect(alert.message.contains("No space left on device") && alert.subject == .accessLog)
        let text = try Files.read(writing.file)
        #expect(text.hasSuffix("end=--\n") && writing.lines().allSatisfy { $0.hasSuffix("end=--") }, "no line is torn")
        unlink("\(folder.path)/filler")
        try await eventually("it says how many", within: 5) { writing.lines().contains { $0.contains("reason=lines_lost") } }
        sent += 1
        writing.send(sent)
        try await eventually("the alert is over", within: 5) { writing.log.alert == nil }
        await writing.end()
        let lines = writing.lines()
        let told = lines.filter { $0.contains("reason=lines_lost ") }.compactMap { line in
            line.split(separator: " ").first { $0.hasPrefix("lost=") }.flatMap { Int($0.dropFirst(5)) }
        }.reduce(0, +)
        let kept = lines.count { $0.hasSuffix("end=--") }
        #expect(told > 0 && kept + told == sent, "\(kept) kept, \(told) lost, \(sent) sent")
        // The metric is of the whole process, in which other tests lose lines too.
        #expect(Int(Metrics.accessLogLost.total - before) >= told)
    }
}
