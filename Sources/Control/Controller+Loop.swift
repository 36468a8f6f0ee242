import Model
import Planning
import Platform

/// What runs beside one another for as long as the controller does.
extension Controller {
    /// Runs until it is cancelled. Exits and gateway go on without it.
    package func run() async {
        loopWatchdog.start()
        defer { loopWatchdog.stop() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.followEngine() }
            group.addTask { await self.keepProbing() }
            group.addTask { await self.keepHistory() }
            group.addTask { await self.keepEvents() }
            group.addTask { await self.reconcileRepeatedly() }
            group.addTask { await self.watchLoop() }
            group.addTask { await self.keepLease() }
            group.addTask { await self.takeCommands() }
            await group.waitForAll()
        }
        for operation in operations.values { operation.cancel() }
        probes.endAll()
    }

    private func reconcileRepeatedly() async {
        while !Task.isCancelled {
            let begin = ports.instant
            let requeueAt = await reconcile()
            notePass(begin)
            // An engine tells of a death some milliseconds before its list does: reconcile again soon after an event.
            let isLively = eventStream.lastEvent.map { ports.instant - $0 < .milliseconds(600) } ?? false
            let pause = min(isLively ? 0.05 : settings.passSeconds, max(0.01, (requeueAt.map { $0 - ports.now() }) ?? .infinity))
            await wakeSignal.wait(until: ports.instant + .seconds(pause), by: ports.time)
        }
    }

    private func notePass(_ begin: ContinuousClock.Instant) {
        loopWatchdog.passed()
        Metrics.loopSeconds.observe((ports.instant - begin) / .seconds(1))
        Metrics.loopLastRun.set(Double(ports.now().milliseconds) / 1000)
        clear(.loop)
    }

    /// A loop that waits for something that never comes can't say so itself. What is shown doesn't need this: `LoopWatchdog`.
    private func watchLoop() async {
        while !Task.isCancelled {
            try? await ports.sleep(seconds: min(1, settings.standstillSeconds))
            guard loopWatchdog.isStandstill, !Task.isCancelled else { continue }
            note(.loop, Standstill())
            reviewAlerts()
            saveMemories()
        }
    }

    private struct Standstill: Error, CustomStringConvertible {
        let description = LoopWatchdog.words
    }
}
