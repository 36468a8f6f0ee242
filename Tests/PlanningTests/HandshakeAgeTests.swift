import Model
import Planning
import Testing

/// Row 4 of docs/failure-modes.md: times of handshakes that don't mean what they seem to.
struct HandshakeAgeTests {
    private let now = Timestamp(milliseconds: 1_000_000)

    private func age(_ handshakeAt: Timestamp?) -> Double? {
        TunnelReading(at: now, handshakeAt: handshakeAt, received: 0, sent: 0).handshakeAge
    }

    @Test func `no handshake has no age, one of the future is new, and an old one is old`() {
        #expect(age(nil) == nil)
        #expect(age(now) == 0)
        #expect(age(now + 3_600) == 0)
        #expect(age(now + -200) == 200)
    }

    @Test func `an exit that is well shows the last reading, and no reading makes it dead`() {
        var record = HealthRecord()
        record.succeed(milliseconds: 10, now)
        #expect(record.health(now).handshakeAge == nil)
        record.show(TunnelReading(at: now, handshakeAt: now + -5_000, received: 0, sent: 0))
        record.succeed(milliseconds: 10, now + 1)
        let health = record.health(now + 1)
        #expect(health.handshakeAge == 5_000 && health.verdict == .healthy)
        record.show(TunnelReading(at: now, handshakeAt: nil, received: 0, sent: 0))
        #expect(record.health(now + 2).handshakeAge == nil)
    }
}
