@testable import API
import FoundationEssentials
import HTTPServing
import Model
import Platform
@testable import RequestPipeline
import Synchronization
import TestSupport
import Testing
@testable import TimeSeries

/// Figures over time, and the metrics against their own page and rules.
@Suite(.timeLimit(.minutes(1))) struct FigureTests {
    /// A day's beginning.
    private let start = Timestamp(milliseconds: 1_763_683_100_000)

    private func sample(_ seconds: Double, _ serving: Double, failovers: Double = 0, bytes: Double = 0) -> FigureSample {
        FigureSample(
            at: start + seconds, seconds: 10,
            values: ["exits_serving": serving, "failovers": failovers, "proxy_bytes_in_per_second": bytes])
    }

    private func values(_ points: FigureRing.Points, _ figure: Figure) -> [Double?] { points.points.map { $0.sample?.shown(figure) } }

    @Test func `levels are averaged, events added, and rates told for each second`() {
        var ring = FigureRing()
        for (index, serving) in [2.0, 4, 6].enumerated() {
            _ = ring.add(sample(Double(index) * 10, serving, failovers: 1, bytes: 50))
        }
        let now = start + 30
        let fine = ring.points(since: start, step: nil, now: now)
        #expect(fine.step == 10 && fine.points.map(\.at) == [start, start + 10, start + 20] && values(fine, .exitsServing) == [2, 4, 6])
        #expect(values(fine, .bytesIn) == [5, 5, 5])
        let minute = ring.points(since: start, step: 55, now: now)
        #expect(minute.step == 60 && values(minute, .exitsServing) == [4] && values(minute, .failovers) == [3])
        #expect(values(minute, .bytesIn) == [5])
        #expect(ring.points(since: start + 15, step: 10, now: now).points.count == 2)
        #expect(ring.points(since: now + 60, step: 10, now: now).points.isEmpty)
    }

    @Test func `a day is kept in five minutes, an hour in ten seconds, and no more, whatever the clock does`() {
        var ring = FigureRing()
        var periods = 0
        for index in 0..<10_000 { if ring.add(sample(Double(index) * 10, 3, failovers: 1)) != nil { periods += 1 } }
        #expect(periods == 10_000 / 30 - (10_000 % 30 == 0 ? 1 : 0))
        #expect(ring.fine.count == 360 && ring.coarse.count == 288)
        let now = start + 100_000
        let day = ring.points(since: now + -86_400, step: nil, now: now)
        #expect(day.step == 300 && (287...289).contains(day.points.count), "\(day.points.count)")
        // The five minutes that go on are there too; the whole ones have thirty samples each.
        #expect(values(day, .failovers).dropFirst().dropLast().allSatisfy { $0 == 30 })
        #expect(values(day, .exitsServing).allSatisfy { $0 == 3 })
        let hours = ring.points(since: now + -86_400, step: 3600, now: now)
        #expect(hours.step == 3600 && values(hours, .failovers).dropFirst().dropLast().allSatisfy { $0 == 360 })
        // A clock that was put back by a day begins anew from there.
        _ = ring.add(sample(50_000, 9))
        #expect(ring.fine.count == 1 && values(ring.points(since: start + 49_000, step: 10, now: start + 50_000), .exitsServing).last == 9)
    }

    @Test func `where nothing was sampled there is no value`() {
        var ring = FigureRing()
        _ = ring.add(sample(0, 1))
        _ = ring.add(sample(40, 1))
        #expect(values(ring.points(since: start, step: 10, now: start + 50), .exitsServing) == [1, nil, nil, nil, 1])
    }

    private final class SharedFigures: FigureStore {
        let kept = Mutex<[FigureSeries: [String]]>([:])
        func append(_ sample: String, to series: FigureSeries) async throws { kept.withLock { $0[series, default: []].append(sample) } }
        func samples(of series: FigureSeries, after id: String?) async throws -> (samples: [String], last: String?) {
            let all = kept.withLock { $0[series] ?? [] }
            let after = id.flatMap { Int($0) } ?? 0
            return (Array(all.dropFirst(after)), all.isEmpty ? id : String(all.count))
        }
    }

    @Test func `a reader takes all that was stored, once, and skips what it can't read`() async throws {
        let (store, figures) = (SharedFigures(), FigureHistory())
        _ = figures.add(sample(-500, 7))
        var reader = FigureReader()
        let texts = try [sample(0, 1), sample(10, 2)].map { String(decoding: try JSONEncoder().encode($0), as: UTF8.self) }
        for text in ["nonsense", #"{"at":5}"#] + texts { try await store.append(text, to: .fine) }
        await reader.read(from: store, into: figures)
        try await store.append(String(decoding: try JSONEncoder().encode(sample(20, 3)), as: UTF8.self), to: .fine)
        await reader.read(from: store, into: figures)
        await reader.read(from: store, into: figures)
        #expect(values(figures.points(since: start + -1000, step: 10, now: start + 30), .exitsServing) == [1, 2, 3])
    }

    @Test func `a meter counts from its first sample on`() throws {
        var meter = FigureMeter()
        let (api, state) = (RequestMetrics(), FakeOperations().state)
        api.requests.add(5, "GET", "/a", "200")
        let first = meter.sample(FigureReading(state, api), at: start)
        #expect(first == nil)
        api.requests.add(2, "GET", "/a", "200")
        api.requests.add(1, "GET", "/a", "503")
        api.seconds.observe(0.25, "/a")
        let second = meter.sample(FigureReading(state, api), at: start + 10)
        let sample = try #require(second)
        #expect(sample.values["api_requests_per_second"] == 3 && sample.values["api_errors_per_second"] == 1)
        #expect(sample.values["api_latency_ms"] == 250 && sample.values["exits_serving"] == 1 && sample.values["probe_latency_ms"] == 1.5)
        #expect(Set(sample.values.keys).isSubset(of: Figure.allCases.map(\.rawValue)))
    }

    @Test(arguments: Way.allCases) func `figures are asked for by time, step and name`(way: Way) async throws {
        try await Subject.with(way) { subject in
            let now = SystemClock.now()
            for number in 0..<6 {
                _ = subject.api.history.add(
                    FigureSample(at: now + Double(number - 6) * 10, seconds: 10, values: ["exits": 2, "proxy_bytes_in_per_second": 100]))
            }
            let answer = try await subject.call("GET", "/api/metrics?series=exits,loop_ms,proxy_bytes_in_per_second", as: .viewer)
            guard case .array(let times)? = answer["at"], case .object(let series)? = answer["series"] else {
                Issue.record("\(answer.text)")
                return
            }
            // The API's own first sample may be there by now, behind these.
            func first(_ name: String) -> [Document] { if case .array(let values)? = series[name] { Array(values.prefix(6)) } else { [] } }
            #expect(answer.status == 200 && times.count >= 6 && series.count == 3 && answer["step"] == .integer(10))
            #expect(first("loop_ms") == Array(repeating: .null, count: 6) && first("exits") == Array(repeating: .integer(2), count: 6))
            #expect(first("proxy_bytes_in_per_second") == Array(repeating: .integer(10), count: 6))
            #expect(try await subject.call("GET", "/api/metrics").status == 200)
            #expect(try await subject.call("GET", "/api/metrics?series=exits,nonsense").fields == ["series"])
            #expect(try await subject.call("GET", "/api/metrics?step=5").fields == ["step"])
            #expect(try await subject.call("GET", "/api/metrics?since=yesterday").fields == ["since"])
            #expect(try await subject.call("GET", "/api/metrics?since=0001-01-01T00:00:00Z&step=86400").status == 200)
        }
    }

    @Test func `a part that was not asked is unknown, with the reason`() async throws {
        try await Subject.with(.direct) { subject in
            subject.operations.with { state in
                state.shown.leader = "host-a"
                state.shown.asked = ["store": start, "loop": start]
                state.shown.problems = ["store": "nobody answers"]
            }
            let answer = try await subject.call("GET", "/health/deep", as: .viewer)
            guard case .object(let parts)? = answer["parts"] else {
                Issue.record("\(answer.text)")
                return
            }
            #expect(answer["role"] == .string("follower") && answer["status"] == .string("troubled"))
            let unknown = Document.object(["status": .string("unknown"), "note": .string("not checked: controller host-a leads")])
            for name in ["engine", "gateway", "catalog", "host"] { #expect(parts[name] == unknown, "\(name)") }
            #expect(parts["loop"] == .object(["status": .string("ok"), "asked_at": .string(start.description)]))
            subject.operations.with { state in
                state.shown.leader = nil
                state.shown.problems = [:]
            }
            let leader = try await subject.call("GET", "/health/deep")
            #expect(
                leader["status"] == .string("healthy") && leader.text.contains(#""engine":{"note":"not checked yet","status":"unknown"}"#))
        }
    }
}
