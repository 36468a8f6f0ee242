import FoundationEssentials
import Model
import Planning
import Testing

@Suite struct BreakerTests {
    private let rules = Breaker.Rules(threshold: 3, firstCoolDown: 10, longestCoolDown: 100, trials: 2)

    @Test func `it opens after as many failures in a row as the rules say, and a success starts the count anew`() {
        var breaker = Breaker()
        breaker.fail("timeout", start, rules)
        breaker.fail("timeout", start, rules)
        breaker.succeed(start, rules)
        breaker.fail("timeout", start, rules)
        breaker.fail("timeout", start, rules)
        #expect(breaker.state(start) == .closed && breaker.allows(start, rules))
        breaker.fail("timeout", start, rules)
        #expect(breaker.state(start) == .open && !breaker.allows(start, rules) && breaker.reason == "timeout")
    }

    @Test func `after the cool-down it lets trials through, as many as the rules say, and closes when they all succeed`() {
        var breaker = opened()
        let later = start + 13
        #expect(breaker.state(later) == .halfOpen)
        breaker.begin(later)
        #expect(breaker.allows(later, rules))
        breaker.begin(later)
        #expect(!breaker.allows(later, rules), "two trials are under way")
        breaker.succeed(later, rules)
        #expect(breaker.state(later) == .halfOpen)
        breaker.succeed(later, rules)
        #expect(breaker.state(later) == .closed && breaker.failures == 0 && breaker.openings == 0)
    }

    @Test func `a failed trial opens it again, for longer each time, up to the longest`() {
        var breaker = opened()
        var now = start
        var pauses: [Double] = []
        for _ in 0..<8 {
            let until = breaker.openUntil ?? now
            pauses.append(until - now)
            now = until
            breaker.begin(now)
            breaker.fail("timeout", now, rules)
        }
        #expect(zip(pauses, pauses.dropFirst()).prefix(3).allSatisfy { $1 > $0 * 1.1 })
        #expect(pauses.allSatisfy { $0 <= 125 } && (pauses.last ?? 0) >= 75)
    }

    @Test func `what was begun before it opened neither closes nor prolongs it`() {
        var breaker = opened()
        let until = breaker.openUntil
        breaker.succeed(start + 1, rules)
        breaker.fail("late", start + 1, rules)
        #expect(breaker.openUntil == until && breaker.state(start + 1) == .open)
    }

    @Test func `who refuses may say for how long`() {
        var breaker = Breaker()
        breaker.fail("429", start, .init(threshold: 1, firstCoolDown: 1), atLeast: 600)
        #expect(breaker.state(start + 599) == .open && breaker.state(start + 601) == .halfOpen)
    }

    @Test func `a trial whose end is never told doesn't hold it half open for ever`() {
        var breaker = opened()
        breaker.begin(start + 20)
        breaker.begin(start + 20)
        #expect(!breaker.allows(start + 21, rules) && breaker.allows(start + 120, rules))
    }

    @Test func `what works for a moment and fails again is left alone for longer each time, until it has worked for an hour`() {
        var breaker = opened()
        let first = (breaker.openUntil ?? start) - start
        var now = start + 20
        breaker.rest(now)
        #expect(breaker.state(now) == .closed && breaker.allows(now, rules) && !breaker.isForgettable(now + 60, rules))
        for _ in 0..<3 { breaker.fail("timeout", now + 60, rules) }
        let second = (breaker.openUntil ?? now) - (now + 60)
        #expect(second > first * 1.1 && breaker.openings == 2)
        now = now + 120
        breaker.rest(now)
        #expect(breaker.isForgettable(now + 3_600, rules))
        for _ in 0..<3 { breaker.fail("timeout", now + 3_600, rules) }
        #expect(breaker.openings == 1)
    }

    @Test func `when the clock is set its cool-down stays as long as it was`() {
        var breaker = opened()
        let left = (breaker.openUntil ?? start) - start
        breaker.shift(by: -7_200)
        #expect(breaker.state(start + -7_199) == .open && (breaker.openUntil ?? start) - (start + -7_200) == left)
    }

    private func opened() -> Breaker {
        var breaker = Breaker()
        for _ in 0..<3 { breaker.fail("timeout", start, rules) }
        return breaker
    }

    @Test func `a provider's API is left alone when half of its calls in ten seconds fail, for thirty, and three trials must succeed`() {
        let rules = Breaker.ofProviders
        var breaker = Breaker()
        breaker.succeed(start, rules)
        breaker.succeed(start, rules)
        breaker.fail("status 502", start + 1, rules)
        #expect(breaker.state(start + 1) == .closed, "one of three")
        breaker.fail("status 502", start + 2, rules)
        #expect(breaker.state(start + 2) == .open && breaker.openUntil == start + 32, "two of four")
        let later = start + 32
        for _ in 0..<3 {
            #expect(breaker.state(later) == .halfOpen && breaker.allows(later, rules))
            breaker.begin(later)
        }
        #expect(!breaker.allows(later, rules), "three trials are under way")
        for _ in 0..<3 { breaker.succeed(later, rules) }
        #expect(breaker.state(later) == .closed)
        // What is older than the window does not count, and two calls are too few to conclude from.
        breaker.fail("status 502", later, rules)
        breaker.fail("status 502", later + 9, rules)
        breaker.fail("status 502", later + 10.5, rules)
        #expect(breaker.state(later + 10.5) == .closed)
        breaker.fail("status 502", later + 11, rules)
        #expect(breaker.state(later + 11) == .open && breaker.openUntil == later + 41, "not longer for having been open before")
    }

    @Test func `a provider that asks for a pause gets it at once`() {
        var breaker = Breaker()
        breaker.fail("rate_limited", start, Breaker.ofProviders, atLeast: 300)
        #expect(breaker.openUntil == start + 300)
    }

    @Test func `what an older version stored of a breaker can be read`() throws {
        let old =
            #"{"failures":0,"openings":2,"openUntil":"1970-01-01T00:17:40.000Z","begun":0,"succeeded":0,"reason":"blackhole","changedAt":"1970-01-01T00:16:40.000Z"}"#
        let breaker = try JSONDecoder().decode(Breaker.self, from: Data(old.utf8))
        #expect(breaker.openings == 2 && breaker.state(start) == .open)
    }
}
