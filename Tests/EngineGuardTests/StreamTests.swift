@testable import EngineGuard
import Glibc
import Platform
import Synchronization
import TestSupport
import Testing

/// Answers that go on, limits, and the guard's own beginning and end.
@Suite(.serialized, .timeLimit(.minutes(1))) struct StreamTests {
    private static let events = GuardSubject.request(
        "GET", "/v1.41/events?filters=%7B%22type%22%3A%5B%22container%22%5D%2C%22label%22%3A%5B%22io.sallyport.owner%3Dsallyport%22%5D%7D")
    private static let logs = GuardSubject.request(
        "GET", "/v1.41/containers/sallyport-us-1-g3/logs?stdout=true&stderr=true&tail=1&follow=true")

    /// An engine that streams, and what it saw of its end.
    private final class Streaming: Sendable {
        let hasEnded = Mutex(false)
        let sent = Mutex(0)
        func answer(_ connection: ScriptedConnection, _ request: Arrived, piece: [UInt8], pause: UInt32) -> Bool {
            guard request.line.contains("/events") || request.line.contains("follow=true") else { return false }
            connection.write("HTTP/1.1 200 OK\r\n\r\n")
            while connection.write(piece) {
                sent.withLock { $0 += piece.count }
                usleep(pause)
            }
            hasEnded.withLock { $0 = true }
            return true
        }
    }

    private static func open(_ subject: GuardSubject, _ request: [UInt8]) throws -> Channel {
        let channel = try Channel.connected(to: subject.socket)
        try channel.write(request)
        return channel
    }

    @Test(arguments: ["events", "logs"]) func `a stream comes as it is sent, and ends for the engine when its client goes`(kind: String)
        async throws
    {
        let streaming = Streaming()
        let subject = try GuardSubject { streaming.answer($0, $1, piece: Array("{}\n".utf8), pause: 20_000) }
        try await Blocking.run {
            let channel = try Self.open(subject, kind == "events" ? Self.events : Self.logs)
            var text = ""
            while !text.hasSuffix("{}\n{}\n{}\n") { text += String(decoding: try channel.read(by: .now + .seconds(5)), as: UTF8.self) }
            #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n\r\n{}\n"))
            channel.disconnect()
        }
        try await eventually("the engine's side has ended") { streaming.hasEnded.withLock { $0 } }
        await subject.stop()
    }

    @Test func `a client that does not read holds the engine up, not the guard's memory`() async throws {
        let streaming = Streaming()
        let subject = try GuardSubject { streaming.answer($0, $1, piece: [UInt8](repeating: 65, count: 65_536), pause: 0) }
        let channel = try Self.open(subject, Self.events)
        var last = -1
        // What the sockets hold, and no more.
        try await eventually("the engine waits") {
            try await Task.sleep(for: .milliseconds(200))
            let sent = streaming.sent.withLock { $0 }
            defer { last = sent }
            return sent == last && sent > 0
        }
        #expect(last < 4 << 20)
        channel.disconnect()
        try await eventually("the engine's side has ended") { streaming.hasEnded.withLock { $0 } }
        await subject.stop()
    }

    @Test func `the end of the guard ends streams at once, removes its socket, and lets a short request finish`() async throws {
        let streaming = Streaming()
        let subject = try GuardSubject { connection, request in
            if request.line == "GET /v1.41/networks/sallyport" {
                usleep(400_000)
                connection.answer(200, "late")
                return true
            }
            return streaming.answer(connection, request, piece: [65], pause: 10_000)
        }
        let stream = try Self.open(subject, Self.events)
        _ = try stream.read(by: .now + .seconds(5))
        async let short = subject.ask("GET", "/v1.41/networks/sallyport")
        try await eventually("it is under way") { subject.arrived.count == 2 }
        let begin = ContinuousClock.now
        await subject.guardian.stop()
        #expect(ContinuousClock.now - begin < .seconds(3))
        #expect(try await short.text.hasSuffix("late"))
        #expect(streaming.hasEnded.withLock { $0 } && !Files.exists(subject.socket))
        await subject.stop()
    }

    @Test func `more requests than the limit wait for a place`() async throws {
        let streaming = Streaming()
        let subject = try GuardSubject(connections: 2) { streaming.answer($0, $1, piece: [65], pause: 10_000) }
        let streams = try [Self.open(subject, Self.events), Self.open(subject, Self.events)]
        try await eventually("both are there") { subject.arrived.count == 2 }
        let third = Task { try await subject.ask("GET", "/_ping") }
        try await Task.sleep(for: .milliseconds(200))
        #expect(subject.arrived.count == 2)
        streams[0].disconnect()
        #expect(try await third.value.status == 200)
        streams[1].disconnect()
        await subject.stop()
    }

    @Test func `what the engine says of a failure is passed on, and an engine that is away is told`() async throws {
        let subject = try GuardSubject { connection, request in
            if request.line.contains("/containers/sallyport-") { connection.answer(404, #"{"message":"No such container: x"}"#) }
            if request.line.contains("/containers/json") { connection.answer(500, #"{"message":"its own words"}"#) }
            if request.line.contains("/networks/") { connection.answer(404, #"{"message":"network sallyport not found"}"#) }
            if request.line.contains("/containers/create") { connection.answer(409, #"{"message":"in use"}"#) }
            return true
        }
        let start = try await subject.ask("POST", "\(GuardSubject.container)/start")
        #expect(start.status == 404 && start.text.contains("No such container") && subject.arrived.count == 1)
        let list = try await subject.ask("GET", "/v1.41/containers/json")
        #expect(list.status == 500 && list.text.contains("its own words"))
        #expect(try await subject.ask("POST", GuardSubject.createTarget, Array(subject.good().utf8)).status == 409)
        let fixed = try await subject.ask("POST", GuardSubject.createTarget, Array(subject.good(address: "172.30.240.9").utf8))
        #expect(fixed.status == 404 && subject.asked.filter { $0.line.contains("create") }.count == 1)
        #expect(try await subject.ask("GET", "/_ping").status == 502, "no answer at all")
        await subject.stop()

        let alone = try GuardSubject(away: "/tmp/no-such.sock")
        let answer = try await alone.ask("GET", "/_ping")
        #expect(answer.status == 502 && answer.text.contains("no Docker Engine answers on /tmp/no-such.sock"))
        await alone.stop()
    }

    @Test func `a socket that is left behind is replaced, and nothing else is`() async throws {
        let folder = try TemporaryFolder()
        let settings = EngineGuard.Settings(listen: "\(folder.path)/g.sock", engine: "/tmp/no-such.sock")
        let first = try EngineGuard(settings, log: .none)
        var status = stat()
        #expect(stat(settings.listen, &status) == 0 && status.st_mode & 0o777 == 0o666)
        let second = #expect(throws: GuardError.self) { try EngineGuard(settings, log: .none) }
        #expect(second?.description.contains("another process does") == true)
        await first.stop()
        // A killed process leaves its socket behind.
        let left = try ListeningSocket(settings.listen)
        shutdown(left.descriptor, Int32(SHUT_RDWR))
        let third = try EngineGuard(settings, log: .none)
        await third.stop()
        try Files.write("mine", to: settings.listen, mode: 0o600)
        let fourth = #expect(throws: GuardError.self) { try EngineGuard(settings, log: .none) }
        #expect(fourth?.description.contains("is not a socket; remove it") == true)
        for path in ["/nowhere/g.sock", "/" + String(repeating: "a", count: 120)] {
            #expect(throws: GuardError.self) { try EngineGuard(.init(listen: path, engine: "/x"), log: .none) }
        }
        var lost = settings
        (lost.listen, lost.imageArchive) = ("\(folder.path)/h.sock", "/nowhere/exit.tar")
        let fifth = #expect(throws: GuardError.self) { try EngineGuard(lost, log: .none) }
        #expect(fifth?.description.contains("/nowhere/exit.tar") == true)
    }

    @Test func `refusals are told in one line each, and few of them`() async throws {
        let folder = try TemporaryFolder()
        let file = Glibc.open("\(folder.path)/log", O_CREAT | O_RDWR, 0o600)
        let log = Log(descriptor: file)
        let subject = try GuardSubject(log: log)
        for number in 0..<50 { _ = try await subject.ask("GET", "/v1.41/info/\(number)?x=%0A%1B%5B31m") }
        log.flush()
        let lines = try Files.read("\(folder.path)/log").split(separator: "\n")
        #expect(lines.count == 10 && lines.allSatisfy { $0.contains("refused a request") && $0.contains("/v1.41/info/") })
        await subject.stop()
        close(file)
    }
}
