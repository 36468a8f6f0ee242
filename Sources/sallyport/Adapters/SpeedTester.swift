import HTTPServing
import HTTPTransport
import Model
import Platform
import Synchronization

/// Downloads through an exit and counts, when an operator asks for it and never by itself; one test at a time for each exit.
final class SpeedTester: Sendable {
    private struct Entry {
        var test: SpeedTest
        var meter: Meter?
        var start: ContinuousClock.Instant
    }

    private let client: HTTPClient
    private let url: String
    private let entries = Mutex<[ExitID: Entry]>([:])
    /// So many exits' last tests are remembered.
    private static let memory = 500

    init(client: HTTPClient, url: String) {
        self.client = client
        self.url = url
    }

    /// The test that runs, as far as it has come, or the last one.
    func latest(of id: ExitID) -> SpeedTest? { entries.withLock { $0[id] }.map(Self.reading) }

    /// - Throws: `APIProblem` where one runs already, or where nothing comes.
    func run(_ id: ExitID, through proxy: HTTPProxy, bytes: Int, seconds: Double) async throws -> SpeedTest {
        let meter = Meter(limit: bytes)
        guard begin(id, meter) else {
            throw APIProblem(status: 409, code: "speed_test_running", message: "a speed test of \(id) runs already; wait for its end")
        }
        let problem = await download(bytes, seconds, through: proxy, into: meter)
        guard let result = end(id), result.bytes > 0 else {
            throw APIProblem(
                status: 503, code: "speed_test_failed", message: "no data came from \(url) through \(id): \(problem ?? "an empty answer")",
                headers: [("Retry-After", "10")])
        }
        return result
    }

    /// False where one of this exit runs already.
    private func begin(_ id: ExitID, _ meter: Meter) -> Bool {
        entries.withLock { entries in
            if entries[id]?.meter != nil { return false }
            if entries.count >= Self.memory { entries = entries.filter { $0.value.meter != nil } }
            entries[id] = Entry(test: SpeedTest(exit: id, startedAt: SystemClock.now()), meter: meter, start: .now)
            return true
        }
    }

    private func end(_ id: ExitID) -> SpeedTest? {
        entries.withLock { entries in
            entries[id] = entries[id].map { Entry(test: Self.reading(of: $0, isRunning: false), meter: nil, start: $0.start) }
            return entries[id]?.test
        }
    }

    /// Why it ended before all bytes had come; nil where they have.
    private func download(_ bytes: Int, _ seconds: Double, through proxy: HTTPProxy, into meter: Meter) async -> String? {
        var request = HTTPRequest("GET", url.replacing("{bytes}", with: String(bytes)), headers: [("Range", "bytes=0-\(bytes - 1)")])
        request.go(through: proxy)
        request.connectDeadline = min(5, seconds)
        request.deadline = seconds
        request.bodyLimit = 64 << 10
        request.meter = meter
        do {
            let response = try await client.send(request)
            return (200..<300).contains(response.status) ? nil : "it answered with status \(response.status)"
        } catch {
            return "\(error)"
        }
    }

    private static func reading(_ entry: Entry) -> SpeedTest { reading(of: entry, isRunning: entry.meter != nil) }

    private static func reading(of entry: Entry, isRunning: Bool) -> SpeedTest {
        guard let reading = entry.meter?.reading else { return entry.test }
        var test = entry.test
        test.isRunning = isRunning
        test.bytes = reading.bytes
        guard let first = reading.firstByte, let last = reading.lastByte else { return test }
        test.firstByteMilliseconds = (first - entry.start) / .milliseconds(1)
        test.seconds = ((isRunning ? .now : last) - first) / .seconds(1)
        // What came in one piece says nothing about speed.
        if test.seconds > 0.001 { test.megabitsPerSecond = Double(test.bytes) * 8 / 1e6 / test.seconds }
        return test
    }
}
