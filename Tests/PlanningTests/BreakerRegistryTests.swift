import Model
import Planning
import Testing

struct BreakerRegistryTests {
    private let us1 = BreakerKey.server("us1")

    @Test func `a breaker opens once, stays open, and is tried again after its cool-down`() {
        var registry = BreakerRegistry()
        guard case .opened(let breaker) = registry.fail(us1, .blackhole, start) else {
            Issue.record("it has not opened")
            return
        }
        #expect(breaker == registry[us1] && breaker.reason == "blackhole")
        #expect(registry.fail(us1, .blackhole, start + 1) == nil, "open already")
        #expect(registry[us1]?.state(start + 40) == .open && registry[us1]?.state(start + 100) == .halfOpen)
        registry.begin(us1, start + 100)
        #expect(registry[us1]?.allows(start + 100, us1.rules) == false, "one trial")
    }

    @Test func `a breaker closes only after success, and once`() {
        var registry = BreakerRegistry()
        #expect(registry.rest(us1, start) == nil && registry.reset(us1, start) == nil && registry.all.isEmpty)
        _ = registry.fail(us1, .blackhole, start)
        registry.begin(us1, start + 100)
        registry.forgetOld(start + 100)
        #expect(registry[us1]?.state(start + 100) == .halfOpen)
        #expect(registry.rest(us1, start + 130) == .closed && registry.rest(us1, start + 131) == nil)
        #expect(registry[us1]?.openings == 1, "it is known that it has opened")
        guard case .opened(let again) = registry.fail(us1, .blackhole, start + 140) else {
            Issue.record("it has not opened again")
            return
        }
        #expect(again.openings == 2)
        #expect(registry.reset(us1, start + 150) == .closed && registry.all.isEmpty)
    }

    @Test(arguments: [(3_599.0, false), (3_601, true)]) func `what rests is forgotten after an hour`(seconds: Double, isForgotten: Bool) {
        var registry = BreakerRegistry()
        _ = registry.fail(us1, .blackhole, start)
        _ = registry.rest(us1, start)
        registry.forgetOld(start + seconds)
        #expect(registry.all.isEmpty == isForgotten)
    }

    @Test(arguments: [86_400.0, 86_600]) func `what nobody tries is forgotten a day after its cool-down`(seconds: Double) {
        var registry = BreakerRegistry()
        _ = registry.fail(us1, .blackhole, start)
        registry.forgetOld(start + seconds)
        #expect(registry.all.isEmpty == (seconds > 86_500))
    }

    @Test func `the store is told of each change, and what is forgotten as nil`() {
        var registry = BreakerRegistry()
        _ = registry.fail(us1, .blackhole, start)
        let first = registry.writes.begin()
        #expect(registry.values(of: first) == [us1: registry[us1]])
        registry.writes.end(first, isWritten: true)
        registry.begin(us1, start + 1)
        #expect(registry.writes.isEmpty, "nothing has changed while it is open")
        _ = registry.reset(us1, start + 2)
        #expect(registry.values(of: registry.writes.begin()) == [us1: nil])
    }

    @Test func `what an earlier version has stored is taken over, but for what blames nobody and what a clock ahead has written`() {
        let later = start + 7_200
        var (good, blameless) = (Breaker(), Breaker())
        good.fail("blackhole", later, Breaker.ofServers)
        blameless.fail("container_exited", start, Breaker.ofServers)
        let stored = ["server:us1": good, "server:us2": blameless, "moon:us3": good].reduce(into: [:]) { $0[BreakerKey($1.key)] = $1.value }
        let registry = BreakerRegistry(stored: stored, now: start)
        #expect(registry.all.keys.sorted().map(\.description) == ["moon:us3", "server:us1"])
        #expect(registry.all.values.allSatisfy { ($0.openUntil ?? later) < start + 120 })
        #expect(registry.writes.pending == [.server("us2")])
    }

    /// Servers that fail, rest and are forgotten, and a store that hears of it now and then.
    @Test(arguments: 1...60) func `a breaker closes only where it has opened, and the store can always be brought up to date`(seed: UInt64)
    {
        var random = SplitMix64(state: seed)
        var (registry, stored, isOpen) = (BreakerRegistry(), [BreakerKey: Breaker](), [BreakerKey: Bool]())
        var now = start
        let keys = (1...4).map { BreakerKey.server("us\($0)") }
        for _ in 0..<400 {
            now = now + Double.random(in: 0...120, using: &random)
            let key = keys[Int.random(in: 0..<4, using: &random)]
            let transition: BreakerRegistry.Transition?
            switch Int.random(in: 0..<5, using: &random) {
            case 0: transition = registry.fail(key, .blackhole, now)
            case 1: transition = registry.rest(key, now)
            case 2: transition = registry.reset(key, now)
            case 3:
                registry.begin(key, now)
                continue
            default:
                let changed = registry.writes.begin()
                let isWritten = Bool.random(using: &random)
                if isWritten { for (key, breaker) in registry.values(of: changed) { stored[key] = breaker } }
                registry.writes.end(changed, isWritten: isWritten)
                #expect(!registry.writes.isEmpty || stored == registry.all)
                continue
            }
            switch transition {
            case .opened(let breaker): #expect(breaker.state(now) == .open)
            case .closed: #expect(isOpen[key] == true, "it was not open")
            case nil: continue
            }
            isOpen[key] = transition != .closed
        }
    }
}
