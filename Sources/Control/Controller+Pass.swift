package import Model
import Planning
import Platform

/// One pass: observe, plan, save, apply.
extension Controller {
    /// Makes one pass, where this controller leads. Returns when the next one is due although nothing may have happened.
    package func reconcile() async -> Timestamp? {
        guard ports.leadership.isLeader, await isLoadedNow() else { return nil }
        noticeClock()
        let term = term
        let observation = await observe()
        // What was seen in another term, or what nobody may act on, is worth nothing.
        guard term === self.term, ports.leadership.isLeader else { return nil }
        checkEventStream()
        stopHopelessOperations(observation)
        let edition = term.gateway.usersEdition
        let plan = Planner.plan(desired: desired, exits: exits, world: observation.world, now: ports.now(), rules: rules)
        take(plan.exits)
        reviewOnDemand(observation.world)
        await saveForStep()
        guard term === self.term else { return nil }
        // Without a step to publish the gateway has all that was planned.
        if await apply(plan.steps) { term.gateway.hasUsers(edition) }
        await reviewAddresses(observation.world.containers)
        guard term === self.term else { return nil }
        remember(observation)
        // While it is open whether an exit or something common fails, the answer is only moments away.
        return term.host.isUndecided ? ports.now() + 0.05 : plan.requeueAt
    }

    /// Reads the stored state at the beginning of a term; false where the store does not answer.
    private func isLoadedNow() async -> Bool {
        guard !term.isLoaded else { return true }
        do { try await load() } catch {
            note(.store, error)
            // A human is called, although nothing can be planned.
            reviewAlerts()
            return false
        }
        return true
    }

    /// A container that has ended will never answer: its exit need not wait for the deadline.
    private func stopHopelessOperations(_ observation: Observation) {
        guard let containers = observation.world.containers else { return }
        for (id, operation) in operations {
            guard let exit = exits[id], exit.state == .verifying, !term.revisions.isNewer(id, than: observation.revision) else { continue }
            let isRunning = containers.contains { $0.exit == id && $0.generation == exit.generation && $0.isRunning }
            if !isRunning { operation.cancel() }
        }
    }

    /// What a pass leaves for those to come.
    private func remember(_ observation: Observation) {
        term.revisions.forget(upTo: observation.revision)
        term.breakers.forgetOld(ports.now())
        reexamineKeys()
        if let containers = observation.world.containers { forgetStuckContainers(allBut: Set(containers.map(\.name))) }
        reviewAlerts()
        saveMemories()
        if !term.hasObserved, observation.world.containers != nil {
            term.hasObserved = true
            publishView()
        }
    }
}
