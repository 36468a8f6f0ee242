import Model
import Planning
import TestSupport
import Testing

@Suite struct HealthRecordTests {
    private func record(good: Int = 100, milliseconds: Double = 20) -> HealthRecord {
        var record = HealthRecord()
        for number in 0..<good { record.succeed(milliseconds: milliseconds, start + Double(number)) }
        return record
    }

    private func verdict(_ record: HealthRecord, at seconds: Double = 200) -> Health {
        var record = record
        return record.health(start + seconds)
    }

    @Test func `before the first probe nothing is known, and what could not be checked is no failure`() {
        #expect(verdict(HealthRecord()).verdict == .unknown)
        #expect(verdict(record(good: 1)).verdict == .healthy)
    }

    @Test func `on a clean tunnel one failure says nothing, two degrade, three are death`() {
        var record = record()
        record.fail(.blackhole, start + 101)
        #expect(verdict(record).verdict == .healthy)
        record.fail(.blackhole, start + 101.3)
        #expect(verdict(record).verdict == .degraded && verdict(record).reason == .blackhole)
        record.fail(.blackhole, start + 101.6)
        #expect(verdict(record).verdict == .dead && verdict(record).failures == 3)
    }

    @Test(arguments: [(0, 3), (1, 4), (4, 5), (10, 6), (20, 7), (60, 8)])
    func `the more probes fail anyway, the more failures in a row it takes`(lost: Int, needed: Int) {
        var record = HealthRecord()
        for number in 0..<100 {
            if number % 100 < lost { record.fail(.blackhole, start) } else { record.succeed(milliseconds: 20, start) }
        }
        #expect(record.failuresUntilDead == needed, "\(lost) %")
    }

    @Test func `an exit through which bytes come is degraded and not dead, however many probes fail`() {
        var record = record()
        record.fail(.blackhole, start + 101)
        record.read(TunnelReading(at: start + 101, handshakeAt: nil, received: 1_000_000, sent: 0))
        for number in 2...10 { record.fail(.blackhole, start + 101 + Double(number)) }
        record.read(TunnelReading(at: start + 102, handshakeAt: nil, received: 1_400_000, sent: 0))
        #expect(verdict(record).verdict == .degraded)
    }

    @Test func `an exit through which bytes came while its probes failed is dead once none come any more`() {
        var record = record()
        func read(_ seconds: Double, _ bytes: Int) {
            record.read(TunnelReading(at: start + seconds, handshakeAt: nil, received: bytes, sent: 0))
        }
        record.fail(.blackhole, start + 101)
        read(101, 1_000_000)
        record.fail(.blackhole, start + 102)
        read(102, 1_400_000)
        for number in 3...7 { record.fail(.blackhole, start + 100 + Double(number)) }
        #expect(verdict(record).verdict == .degraded)
        read(107, 1_800_000)
        record.fail(.blackhole, start + 108)
        #expect(verdict(record).verdict == .degraded, "they still come")
        read(109, 1_800_000)
        #expect(verdict(record).verdict == .dead && verdict(record).reason == .blackhole)
    }

    @Test func `a tunnel that carries only a little while its resolver is silent has lost the resolver`() {
        var record = record()
        for number in 1...3 {
            record.fail(.blackhole, start + 101 + Double(number))
            let reading = TunnelReading(at: start + 101 + Double(number), handshakeAt: start, received: 1_000 + number * 100, sent: 0)
            record.read(reading)
        }
        #expect(verdict(record).verdict == .dead && verdict(record).reason == .dnsFailed && verdict(record).handshakeAge == 104)
    }

    @Test func `a reading alone, or one that went back, proves no life`() {
        var record = record()
        record.fail(.blackhole, start + 101)
        record.read(TunnelReading(at: start + 101, handshakeAt: nil, received: 9_000_000, sent: 0))
        for number in 2...3 { record.fail(.blackhole, start + 101 + Double(number)) }
        #expect(verdict(record).verdict == .dead)
        record.read(TunnelReading(at: start + 105, handshakeAt: nil, received: 5, sent: 0))
        #expect(verdict(record).verdict == .dead && verdict(record).reason == .blackhole)
    }

    @Test func `an answer that comes late is a success, and takes the failures back`() {
        var record = record()
        for number in 1...2 { record.fail(.blackhole, start + 101 + Double(number)) }
        record.succeed(milliseconds: 900, start + 104)
        #expect(record.failures == 0)
        // It stays degraded until it has been well for a while.
        var watched = record
        _ = watched.health(start + 104)
        for number in 0..<6 { watched.succeed(milliseconds: 20, start + 105 + Double(number)) }
        #expect(verdict(watched).verdict == .healthy)
    }

    @Test func `once degraded it takes five successes in a row to be healthy`() {
        var record = record()
        for number in 1...2 { record.fail(.blackhole, start + 101 + Double(number)) }
        #expect(record.health(start + 104).verdict == .degraded)
        for number in 1...4 {
            record.succeed(milliseconds: 20, start + 104 + Double(number))
            #expect(record.health(start + 104 + Double(number)).verdict == .degraded)
        }
        record.succeed(milliseconds: 20, start + 109)
        #expect(record.health(start + 109).verdict == .healthy && record.health(start + 109).degradedSince == nil)
    }

    @Test func `a wrong country that was found stands until somebody has said the country again`() {
        var record = record()
        record.found(.wrongCountry)
        // It was not the exit's turn to ask.
        record.found(nil, isPlaced: false)
        #expect(verdict(record).verdict == .healthy)
        record.found(.wrongCountry)
        record.found(nil, isPlaced: false)
        #expect(verdict(record).reason == .wrongCountry)
        record.found(nil)
        #expect(verdict(record).verdict == .healthy)
        record.found(.dnsFailed)
        record.found(nil, isPlaced: false)
        record.found(.dnsFailed)
        #expect(verdict(record).verdict == .healthy, "what needs no service is well again without one")
    }

    @Test(arguments: [ExitReason.dnsFailed, .mtu, .wrongCountry]) func `what deep probes find counts when it was confirmed`(
        reason: ExitReason
    ) {
        var record = record()
        record.found(reason)
        #expect(verdict(record).verdict == .healthy)
        record.found(reason)
        #expect(verdict(record).verdict == .degraded && verdict(record).reason == reason)
        record.found(nil)
        #expect(verdict(record).verdict == .healthy)
    }

    @Test func `one probe lost among the first is bad luck; a fifth of many is not`() {
        var record = HealthRecord()
        for number in 0..<3 { record.succeed(milliseconds: 20, start + Double(number)) }
        record.fail(.blackhole, start + 3)
        #expect(record.health(start + 3).verdict == .healthy)
        for number in 4..<40 {
            if number.isMultiple(of: 3) { record.fail(.blackhole, start + Double(number)) }
            record.succeed(milliseconds: 20, start + Double(number))
        }
        #expect(record.health(start + 40).reason == .lossy)
    }

    @Test func `large answers that are late on a slow or lossy tunnel must be missed more often`() {
        var slow = record(milliseconds: 300)
        var lossy = record()
        lossy.fail(.blackhole, start + 101)
        lossy.succeed(milliseconds: 20, start + 102)
        for number in 1...5 {
            slow.found(.mtu)
            lossy.found(.mtu)
            #expect((verdict(slow).reason == .mtu) == (number == 5) && (verdict(lossy).reason == .mtu) == (number == 5))
        }
    }

    @Test func `a leak is death at once, and stays it`() {
        var record = record()
        record.found(.leak)
        record.found(nil)
        record.succeed(milliseconds: 20, start + 103)
        #expect(verdict(record).verdict == .dead && verdict(record).reason == .leak)
    }

    @Test func `slow is against its own usual latency, and for a minute`() {
        var record = record()
        for number in 0..<20 { record.succeed(milliseconds: 600, start + 101 + Double(number)) }
        #expect(record.health(start + 121).verdict == .healthy)
        #expect(record.health(start + 200).reason == .slow)
        // One that has always been far away is not slow.
        #expect(verdict(self.record(milliseconds: 600)).verdict == .healthy)
    }

    @Test func `the score falls with failures, latency and jitter, and the weight follows in steps`() {
        let good = verdict(record())
        #expect(good.score > 0.99 && good.weight == 100)
        var lossy = record()
        for number in 0..<30 {
            if number.isMultiple(of: 5) { lossy.fail(.blackhole, start) }
            lossy.succeed(milliseconds: 20, start)
        }
        var slower = record()
        for _ in 0..<10 { slower.succeed(milliseconds: 80, start) }
        var jittery = HealthRecord()
        for number in 0..<60 { jittery.succeed(milliseconds: number.isMultiple(of: 2) ? 10 : 90, start) }
        for other in [lossy, slower, jittery] {
            #expect(verdict(other).score < 0.9 && verdict(other).weight < 90 && verdict(other).weight > 0)
        }
        var slightly = record()
        slightly.succeed(milliseconds: 21, start)
        #expect(verdict(slightly).weight == 100)
    }

    @Test func `how long a probe may be silent follows from the latency`() {
        #expect(HealthRecord().suspectSeconds == 1)
        // Before the first probe: from how long the proof took.
        #expect(
            HealthRecord(known: Health(latencyMilliseconds: 8)).suspectSeconds == 0.25
                && HealthRecord(known: Health(latencyMilliseconds: 300)).suspectSeconds == 1.5)
        #expect(record(milliseconds: 2).suspectSeconds == 0.25 && record(milliseconds: 5_000).suspectSeconds == 2)
        #expect(abs(record(milliseconds: 200).suspectSeconds - 1) < 0.001)
    }

    /// An hour of probes twice a second through a tunnel that loses two percent of all packets each way, two hundred
    /// milliseconds long; six of them.
    @Test func `a lossy tunnel is not taken for a dead one`() async throws {
        let moves = try await heavily { (0..<6 as Range<UInt64>).map(movesInAnHour) }
        #expect(moves == [0, 0, 0, 0, 0, 0])
    }

    @Sendable private func movesInAnHour(seed: UInt64) -> Int {
        var random = SplitMix64(state: seed)
        var record = HealthRecord()
        var moves = 0
        for turn in 0..<7_200 {
            let now = start + Double(turn) / 2
            // A lost packet of the handshake comes again after a second: too late for the probe.
            if Double.random(in: 0..<1, using: &random) < 0.04 {
                record.fail(.blackhole, now)
            } else {
                record.succeed(milliseconds: Double.random(in: 200...260, using: &random), now)
            }
            guard record.failures > 0 || turn.isMultiple(of: 5) else { continue }
            let health = record.health(now)
            if health.verdict == .dead || Retirement().isDue(health, now) { moves += 1 }
        }
        return moves
    }
}
