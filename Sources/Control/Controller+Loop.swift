package import Model
import Planning
import Platform

/// The reconcile loop: observe, plan, act, and again.
extension Controller {
    /// Runs until it is cancelled. Exits and gateway go on without it.
    package func run() async {
        loopWatchdog.start()
        defer { loopWatchdog.stop() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.followEngine() }
            group.addTask { await self.keepWatch() }
            group.addTask { await self.keepHistory() }
            group.addTask { await self.keepEvents() }
            group.addTask { await self.reconcileRepeatedly() }
            group.addTask { await self.watchLoop() }
            group.addTask { await self.keepLease() }
            group.addTask { await self.takeCommands() }
            await group.waitForAll()
        }
        for operation in operations.values { operation.cancel() }
        for watch in watches.values { watch.end() }
        watches = [:]
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

    /// One pass: observe, plan, save, apply. Returns when the next one is due although nothing may have happened.
    package func reconcile() async -> Timestamp? {
        guard ports.leadership.isLeader else { return nil }
        if !hasLoaded {
            do { try await load() } catch {
                note(.store, error)
                // A human is called, although nothing can be planned.
                reviewAlerts()
                return nil
            }
        }
        noticeClock()
        let term = term
        // A list that is still on its way says nothing of what has changed since it was asked for.
        if listing == nil { changedWhileLooking = [] }
        let world = await observe()
        // What was seen in another term, or what nobody may act on, is worth nothing.
        guard term == self.term, ports.leadership.isLeader else { return nil }
        checkEventStream()
        stopHopelessOperations(world.containers)
        let edition = usersEdition
        let plan = Planner.plan(desired: desired, exits: exits, world: world, now: ports.now(), rules: settings.rules)
        take(plan.exits)
        await saveForStep()
        guard term == self.term else { return nil }
        // Without a step to publish the gateway has all that was planned.
        if await apply(plan.steps) { publishedEdition = max(publishedEdition, edition) }
        await reviewAddresses(world.containers)
        guard term == self.term else { return nil }
        breakers.forgetOld(ports.now())
        forgetStuckContainers(world.containers)
        reviewAlerts()
        saveMemories()
        if !hasObserved, world.containers != nil {
            hasObserved = true
            publishView()
        }
        // While it is open whether an exit or something common fails, the answer is only moments away.
        return isUndecided ? ports.now() + 0.05 : plan.requeueAt
    }

    // MARK: - The loop itself

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
