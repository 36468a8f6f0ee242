import Control
import Model
import Platform
import TestSupport
import Testing

/// Leaks that nobody outside tells of: an exit's own firewall has counted them.
@Suite(.timeLimit(.minutes(1)), .inSimulatedTime) struct LeakTests {
    /// No deep probe is due for hours; tunnels are read all the time.
    private static func quiet(_ settings: inout ControllerSettings) {
        settings.probing.deepSeconds = 6_000
        (settings.probing.handshakeSeconds, settings.probing.handshakesPerSecond) = (0.2, 100)
    }

    @Test(arguments: [(LeakCount.counted(packets: 1, bytes: 60), "1 packet (60 bytes)"), (.removed, "changed its rules")])
    func `an exit whose firewall has counted a leak is cut off at once, and told with its figures`(leaks: LeakCount, words: String)
        async throws
    {
        try await withController(tune: Self.quiet) { world, running in
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            try await eventually("its counter is read") { running.exit(1)?.health.countsLeaks == true }
            #expect(running.exit(1)?.health.leakedPackets == 0 && running.exit(1)?.generation == 1)
            world.with { $0.leaks = leaks }
            try await eventually("it is given up for a leak") { running.exit(1)?.lastFailure?.reason == .leak }
            world.with { $0.leaks = .counted(packets: 0, bytes: 0) }
            try await eventually("another container serves in its place", within: 20) {
                running.exit(1)?.generation ?? 0 > 1 && running.exit(1)?.state == .serving
            }
            #expect(world.with { $0.removals }.contains("us-1-g1"))
            try await eventually("the event tells it") {
                world.with { $0.events }.contains { $0.reason == .leak && $0.severity == .critical && $0.message.contains(words) }
            }
            let alert = try await eventually("an alert tells it") {
                running.controller.snapshot.alerts.first { $0.subject == .leak(id(1)) }
            }
            #expect(alert.severity == .critical && alert.message.contains(words))
        }
    }

    @Test(arguments: [LeakCount.notCounted, .unread])
    func `an exit that does not count, or whose counter can't be read, does not leak for it`(
        leaks: LeakCount
    ) async throws {
        try await withController(tune: Self.quiet) { world, running in
            world.with { $0.leaks = leaks }
            try await running.controller.execute(.addExit(ExitRequest(country: us)))
            try await running.serves(1)
            try await eventually("its tunnel is read") { running.exit(1)?.health.handshakeAge != nil || leaks == .unread }
            let lists = world.with { $0.lists }
            try await eventually("and again") { world.with { $0.lists } > lists + 10 }
            #expect(running.exit(1)?.generation == 1 && running.exit(1)?.state == .serving)
            #expect(running.exit(1)?.health.leakedPackets == nil)
            #expect(running.exit(1)?.health.countsLeaks == (leaks == .notCounted ? false : nil))
        }
    }
}
