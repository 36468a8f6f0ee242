@testable import Control
import Model
import TestSupport
import Testing

@Suite struct TrafficRatesTests {
    private let start = ContinuousClock.now

    private func after(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test func `what an exit carries is the mean of ten seconds, though HAProxy counts it each five`() {
        var rates = TrafficRates()
        rates.take([:], now: start)
        for second in 1...30 { rates.take(second.isMultiple(of: 5) ? ["exit:us-1": 5_000] : [:], now: after(Double(second))) }
        let traffic = rates.traffic(openByUser: [:], openByExit: [id(1): 2], now: after(30))
        #expect(traffic == ["exit:us-1": CurrentTraffic(bytesPerSecond: 1_000, connections: 2)])
    }

    @Test func `what was carried before the first reading came at no known time`() {
        var rates = TrafficRates()
        rates.take(["user:alice": 1_000_000], now: start)
        #expect(rates.traffic(openByUser: [:], openByExit: [:], now: after(1)) == [:])
    }

    @Test func `after ten seconds without a byte a user carries nothing, and has connections while they are open`() {
        var rates = TrafficRates()
        rates.take([:], now: start)
        rates.take(["user:alice": 3_000], now: after(1))
        #expect(rates.traffic(openByUser: [:], openByExit: [:], now: after(1))["user:alice"]?.bytesPerSecond == 3_000)
        for second in 2...12 { rates.take([:], now: after(Double(second))) }
        #expect(rates.traffic(openByUser: ["alice": 1], openByExit: [:], now: after(12)) == ["user:alice": CurrentTraffic(connections: 1)])
    }

    @Test func `the tally tells the bytes of an account under its user's name, of all countries together`() {
        var tally = UsageTally()
        func reading(_ bytes: Int) -> UsageReading {
            UsageReading(counters: [
                "1 user us": (.user(UserAccount("alice@7"), us), Usage(bytesIn: bytes, bytesOut: bytes)),
                "1 user de": (.user(UserAccount("alice@7"), de), Usage(bytesOut: bytes)),
                "1 exit": (.exit(id(1)), Usage(bytesOut: 3 * bytes)),
                "1 nobody": (nil, Usage(bytesOut: bytes)),
            ])
        }
        #expect(tally.take(reading(10), isWhole: true, users: []) == [:])
        #expect(tally.take(reading(25), isWhole: true, users: []) == ["user:alice": 45, "exit:us-1": 45])
    }
}
