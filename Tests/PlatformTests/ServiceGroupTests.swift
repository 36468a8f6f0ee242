import Glibc
import Platform
import Synchronization
import TestSupport
import Testing

/// How services of one process begin and end.
@Suite(.timeLimit(.minutes(1))) struct ServiceGroupTests {
    private struct Broken: Error, CustomStringConvertible { let description = "it is broken" }

    /// What happened, in its order.
    private final class Journal: Sendable {
        private let kept = Mutex<[String]>([])
        var lines: [String] { kept.withLock { $0 } }
        func note(_ line: String) { kept.withLock { $0.append(line) } }
        func has(_ line: String) -> Bool { lines.contains(line) }
        func wait(for line: String) async { try? await eventually(line, within: 40) { self.has(line) } }
    }

    /// Opened once, for all who wait.
    private final class Gate: Sendable {
        private let (stream, open) = AsyncStream<Void>.makeStream()
        func pass() async { for await _ in stream {} }
        func release() { open.finish() }
    }

    private let journal = Journal()

    /// Starts, serves and ends as it should.
    private func service(_ name: String, stopSeconds: Double = 40) -> Service {
        Service(name, stopSeconds: stopSeconds) { [journal] lifecycle in
            journal.note("\(name) starts")
            lifecycle.started()
            await lifecycle.stopRequested()
            journal.note("\(name) ends\(Task.isCancelled ? ", cancelled" : "")")
        }
    }

    /// Runs a group; what its error says.
    private func failure(of services: [Service], until stop: @escaping @Sendable () async -> Void) async -> ServiceError? {
        do { try await ServiceGroup(services, log: .none).run(until: stop) } catch { return error as? ServiceError }
        return nil
    }

    /// Never: they end by themselves, or fail.
    private let never: @Sendable () async -> Void = { try? await Task.sleep(for: .seconds(3600)) }

    @Test func `services start in order, each when the one before is ready, and stop in reverse, uncancelled`() async throws {
        let slow = Gate()
        let second = Service("second") { [journal] lifecycle in
            journal.note("second begins")
            await slow.pass()
            journal.note("second starts")
            lifecycle.started()
            await lifecycle.stopRequested()
            journal.note("second ends\(Task.isCancelled ? ", cancelled" : "")")
        }
        let services = [service("first"), second, service("third")]
        let group = Task { await failure(of: services) { [journal] in await journal.wait(for: "third starts") } }
        try await eventually("the second begins") { journal.has("second begins") }
        #expect(!journal.has("third starts"))
        slow.release()
        #expect(await group.value == nil)
        #expect(
            journal.lines == [
                "first starts", "second begins", "second starts", "third starts", "third ends", "second ends", "first ends",
            ])
    }

    @Test func `one that returns early ends the others, and its name is told`() async throws {
        let early = Service("early") { lifecycle in lifecycle.started() }
        let error = try #require(await failure(of: [service("first"), early, service("last")], until: never))
        #expect(error.description == "early ended unexpectedly" && !error.isAtStart)
        #expect(journal.lines.first == "first starts" && journal.lines.last == "first ends")
    }

    @Test func `one that throws before it is ready ends those before it, and nothing after it begins`() async throws {
        let broken = Service("broken") { _ in throw Broken() }
        let error = try #require(await failure(of: [service("first"), service("second"), broken, service("last")], until: never))
        #expect(error.description == "broken did not start: it is broken" && error.isAtStart && error.cause is Broken)
        #expect(journal.lines == ["first starts", "second starts", "second ends", "first ends"])
        let silent = Service("silent") { _ in }
        #expect(await failure(of: [silent], until: never)?.description == "silent did not start")
    }

    @Test func `one that throws later ends the others, and its name is told`() async throws {
        let broken = Service("broken") { [journal] lifecycle in
            lifecycle.started()
            await journal.wait(for: "last starts")
            throw Broken()
        }
        let error = try #require(await failure(of: [service("first"), broken, service("last")], until: never))
        #expect(error.description == "broken ended unexpectedly: it is broken" && !error.isAtStart)
        #expect(journal.lines == ["first starts", "last starts", "last ends", "first ends"])
    }

    @Test func `one that is not ready when the group stops is cancelled, and that is no error`() async throws {
        let slow = Service("slow") { [journal] lifecycle in
            journal.note("slow begins")
            try await Task.sleep(for: .seconds(3600))
            lifecycle.started()
        }
        let error = await failure(of: [service("first"), slow, service("last")]) { [journal] in await journal.wait(for: "slow begins") }
        #expect(error == nil, "\(String(describing: error))")
        #expect(journal.lines == ["first starts", "slow begins", "first ends"])
    }

    @Test func `one that does not end in its seconds is cancelled and left, and that is told`() async throws {
        let stuck = Gate()
        let tail = LogTail()
        let nowhere = open("/dev/null", O_WRONLY)
        let log = Log(descriptor: nowhere, tail: tail)
        let hung = Service("hung", stopSeconds: 0.05) { [journal] lifecycle in
            lifecycle.started()
            await lifecycle.stopRequested()
            await withTaskCancellationHandler {
                await Task { await stuck.pass() }.value
            } onCancel: {
                journal.note("hung is cancelled")
            }
        }
        let services = [service("first"), hung, service("last")]
        try await ServiceGroup(services, log: log).run { [journal] in await journal.wait(for: "last starts") }
        log.flush()
        close(nowhere)
        #expect(journal.lines == ["first starts", "last starts", "last ends", "hung is cancelled", "first ends"])
        #expect(tail.lines.map(\.message) == ["hung has not stopped within 0.05 s; the process ends without it"])
        stuck.release()
    }

    @Test func `one that has a single thing to do may end, or is cancelled at the end; a loop is cancelled`() async throws {
        let once = Service.once("once") { [journal] in journal.note("once is done") }
        let long = Service.once("long") { [journal] in
            try? await Task.sleep(for: .seconds(3600))
            journal.note("long ends\(Task.isCancelled ? ", cancelled" : "")")
        }
        let loop = Service.loop("loop") { [journal] in
            journal.note("loop begins")
            while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
            journal.note("loop ends")
        }
        let error = await failure(of: [once, long, loop]) { [journal] in
            await journal.wait(for: "once is done")
            await journal.wait(for: "loop begins")
        }
        #expect(error == nil)
        #expect(journal.lines.filter { $0 != "loop begins" } == ["once is done", "loop ends", "long ends, cancelled"])
        let over = Service.loop("over") {}
        #expect(await failure(of: [over], until: never)?.description == "over ended unexpectedly")
    }

    @Test func `one that is not waited for is cancelled, and the others end at once`() async throws {
        let stuck = Gate()
        let hung = Service.loop("hung", stopSeconds: 0) { [journal] in
            journal.note("hung runs")
            await withTaskCancellationHandler {
                await Task { await stuck.pass() }.value
            } onCancel: {
                journal.note("hung is cancelled")
            }
        }
        let error = await failure(of: [service("first"), hung]) { [journal] in await journal.wait(for: "hung runs") }
        #expect(error == nil)
        try await eventually("it is cancelled") { journal.has("hung is cancelled") }
        #expect(journal.has("first ends"))
        stuck.release()
    }

    @Test func `an error of one that stops is told, and the first one counts`() async throws {
        func failing(_ name: String) -> Service {
            Service(name) { [journal] lifecycle in
                lifecycle.started()
                await lifecycle.stopRequested()
                journal.note("\(name) ends")
                throw Broken()
            }
        }
        let services = [failing("first"), failing("second"), service("third")]
        let error = await failure(of: services) { [journal] in await journal.wait(for: "third starts") }
        #expect(error?.service == "second")
        #expect(journal.lines == ["third starts", "third ends", "second ends", "first ends"])
    }

    @Test func `a caller who is cancelled has the services stopped in order`() async throws {
        let services = [service("first"), service("second")]
        let group = Task { await failure(of: services, until: never) }
        try await eventually("they run") { journal.has("second starts") }
        group.cancel()
        #expect(await group.value == nil)
        #expect(journal.lines == ["first starts", "second starts", "second ends", "first ends"])
    }
}
