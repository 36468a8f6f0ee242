import Model
import Planning
import Testing

struct AlertRegistryTests {
    private static let all = Set(Dependency.allCases)
    private let nothing = Alerts.Facts(desired: Desired(), exits: [:])
    private let wanted = Alerts.Facts(desired: Desired(pools: [us: Pool(country: us, size: 1)]), exits: [:])

    private func alert(_ subject: AlertSubject, _ severity: Severity = .warning, _ message: String = "as before") -> Alert {
        Alert(subject, severity, message, remedy: "do something", since: start)
    }

    // MARK: - Troubles

    @Test func `a trouble begins once, changes with its words, and ends once`() {
        var registry = AlertRegistry()
        #expect(registry.clear(.engine) == false)
        #expect(registry.note(.engine, "nobody answers", start) == .began)
        #expect(registry.note(.engine, "nobody answers", start + 1) == nil)
        #expect(registry.note(.engine, "status 500", start + 2) == .changed)
        #expect(registry.troubles == [.engine: .init(message: "status 500", since: start)])
        #expect(registry.clear(.engine) && !registry.clear(.engine) && registry.troubles.isEmpty)
    }

    /// Seconds after which a trouble is an alert.
    @Test(
        arguments: [
            (Dependency.host, nil, 0.0), (.engine, nil, 30), (.gateway, nil, 30), (.catalog, nil, 30), (.loop, nil, 30),
            (.store, "make room", 0),
        ] as [(Dependency, String?, Double)])
    func `a trouble is an alert at once where it does not pass by itself, else after a while`(
        dependency: Dependency, remedy: String?, seconds: Double
    ) {
        var registry = AlertRegistry()
        _ = registry.note(dependency, "words", remedy: remedy, start)
        if seconds > 0 { #expect(registry.review(nothing, asked: Self.all, now: start + (seconds - 1)) == nil) }
        let changes = registry.review(nothing, asked: Self.all, now: start + seconds)
        #expect(changes?.raised.map(\.subject) == [.part(dependency)] && changes?.cleared == [])
        if let remedy { #expect(changes?.raised.first?.remedy == remedy) }
        #expect(registry.review(nothing, asked: Self.all, now: start + 3_600) == nil, "it stays open, and is not told again")
        _ = registry.clear(dependency)
        #expect(registry.review(nothing, asked: Self.all, now: start + 3_601) == .init(raised: [], cleared: [.part(dependency)]))
    }

    // MARK: - Pools and containers

    @Test func `a pool that nobody serves is an alert after a while, and only for as long as it is wanted and not served`() {
        var registry = AlertRegistry()
        #expect(registry.review(wanted, asked: Self.all, now: start) == nil)
        #expect(registry.review(wanted, asked: Self.all, now: start + 29) == nil)
        #expect(registry.review(wanted, asked: Self.all, now: start + 30)?.raised.map(\.subject) == [.pool(us)])
        #expect(registry.since(.pool(us)) == start)
        var served = wanted
        served.exits[id(1)] = serving(1, on: server(1))
        #expect(registry.review(served, asked: Self.all, now: start + 31)?.cleared == [.pool(us)])
        #expect(registry.review(wanted, asked: Self.all, now: start + 32) == nil, "it counts anew")
        #expect(registry.review(wanted, asked: Self.all, now: start + 62) != nil)
        #expect(registry.review(nothing, asked: Self.all, now: start + 63)?.cleared == [.pool(us)])
    }

    @Test func `a container is an alert until it is removed or gone`() {
        var registry = AlertRegistry()
        for name in ["a", "b", "c"] { registry.note(stuck: name, "busy") }
        #expect(registry.review(nothing, asked: Self.all, now: start)?.raised.count == 3)
        registry.clear(stuck: "a")
        registry.clearStuck(allBut: ["b"])
        #expect(registry.review(nothing, asked: Self.all, now: start + 1)?.cleared == [.container("a"), .container("c")])
        #expect(registry.open.keys.map(\.description) == ["container:b"])
    }

    // MARK: - Alerts of an earlier controller

    /// What an earlier controller's alert is about, and how long it stays open where nobody looks.
    @Test(
        arguments: [
            (.part(.engine), 599), (.part(.catalog), 599), (.list(.nordvpn), 39), (.size(.nordvpn), 39), (.container("old"), 1e6),
        ] as [(AlertSubject, Double)])
    func `an alert of an earlier controller stays open, as it was, until somebody has looked`(subject: AlertSubject, seconds: Double) {
        var registry = AlertRegistry()
        registry.recall([alert(subject)], now: start + 100)
        for at in [0, seconds / 2, seconds] { #expect(registry.review(nothing, asked: [.store], now: start + 100 + at) == nil) }
        #expect(registry.open == [subject: alert(subject)])
        guard seconds < 1e6 else { return }
        #expect(registry.review(nothing, asked: [.store], now: start + 102 + seconds)?.cleared == [subject])
    }

    @Test func `an alert of an earlier controller is over when it was looked, and one that no case has at once`() {
        var registry = AlertRegistry()
        registry.recall([alert(.part(.engine)), alert(.container("old")), alert(AlertSubject("moon:us")), alert(.exits)], now: start)
        #expect(registry.review(nothing, asked: [], now: start)?.cleared.map(\.description) == ["exits", "moon:us"])
        registry.clearStuck(allBut: [])
        #expect(registry.review(nothing, asked: [.engine], now: start)?.cleared == [.container("old"), .part(.engine)])
        #expect(registry.open.isEmpty)
    }

    @Test func `what is still true is known since the earlier controller's alert`() {
        var registry = AlertRegistry()
        registry.recall([alert(.pool(us), .critical), alert(.part(.engine)), alert(.container("old"))], now: start + 100)
        _ = registry.note(.engine, "nobody answers", start + 101)
        registry.note(stuck: "old", "busy")
        #expect(registry.troubles[.engine]?.since == start)
        let changes = registry.review(wanted, asked: [.engine], now: start + 102)
        #expect(changes == .init(raised: [], cleared: []), "their words have changed")
        #expect(registry.open.count == 3 && registry.open.values.allSatisfy { $0.since == start && $0.message != "as before" })
        #expect(registry.since(.comparison(.address)) == nil)
    }

    @Test func `a pool that only lacked something does not count as one that nobody served`() {
        var registry = AlertRegistry()
        registry.recall([alert(.pool(us), .warning)], now: start + 100)
        #expect(registry.review(wanted, asked: Self.all, now: start + 100)?.cleared == [.pool(us)])
    }

    // MARK: - The store and the clock

    @Test func `the store is told of what has changed, and of what is over`() {
        var registry = AlertRegistry()
        registry.note(stuck: "a", "busy")
        _ = registry.review(nothing, asked: Self.all, now: start)
        let first = registry.writes.begin()
        #expect(registry.values(of: first).open.map(\.subject) == [.container("a")] && registry.values(of: first).cleared.isEmpty)
        registry.writes.end(first, isWritten: true)
        #expect(registry.review(nothing, asked: Self.all, now: start + 1) == nil && registry.writes.isEmpty)
        registry.clear(stuck: "a")
        _ = registry.review(nothing, asked: Self.all, now: start + 2)
        let second = registry.writes.begin()
        #expect(registry.values(of: second).open.isEmpty && registry.values(of: second).cleared == [.container("a")])
    }

    @Test(arguments: [-7_200.0, 7_200]) func `a clock that is set neither raises an alert nor ends one`(seconds: Double) {
        var registry = AlertRegistry()
        registry.recall([alert(.part(.catalog))], now: start)
        _ = registry.note(.gateway, "nobody answers", start)
        #expect(registry.review(wanted, asked: [.gateway], now: start + 1) == nil)
        registry.shift(by: seconds)
        #expect(registry.review(wanted, asked: [.gateway], now: start + seconds + 2) == nil)
        #expect(registry.writes.pending == [.part(.catalog)] && registry.since(.part(.catalog)) == start + seconds)
        #expect(
            registry.review(wanted, asked: [.gateway], now: start + seconds + 31)?.raised.map(\.subject) == [.part(.gateway), .pool(us)])
    }

    /// Troubles that come and go, containers that resist, reviews, and a store that takes some of the writes.
    @Test(arguments: 1...60) func `raised and cleared alternate for each subject, and a store that takes all writes has all alerts`(
        seed: UInt64
    ) {
        var random = SplitMix64(state: seed)
        var (registry, stored, open, now) = (AlertRegistry(), [AlertSubject: Alert](), Set<AlertSubject>(), start)
        for _ in 0..<300 {
            now = now + Double.random(in: 0...20, using: &random)
            let dependency = Dependency.allCases[Int.random(in: 0..<6, using: &random)]
            let container = "c\(Int.random(in: 1...3, using: &random))"
            switch Int.random(in: 0..<7, using: &random) {
            case 0: _ = registry.note(dependency, "words", now)
            case 1: _ = registry.clear(dependency)
            case 2: registry.note(stuck: container, "busy")
            case 3: registry.clear(stuck: container)
            case 4, 5:
                let facts = Bool.random(using: &random) ? wanted : nothing
                guard let changes = registry.review(facts, asked: Self.all, now: now) else { continue }
                for alert in changes.raised { #expect(open.insert(alert.subject).inserted) }
                for subject in changes.cleared { #expect(open.remove(subject) != nil) }
                #expect(open == Set(registry.open.keys))
            default:
                let changed = registry.writes.begin()
                let isWritten = Bool.random(using: &random)
                let (values, cleared) = registry.values(of: changed)
                if isWritten {
                    for alert in values { stored[alert.subject] = alert }
                    for subject in cleared { stored[subject] = nil }
                }
                registry.writes.end(changed, isWritten: isWritten)
                #expect(!registry.writes.isEmpty || stored == registry.open)
            }
        }
    }
}
