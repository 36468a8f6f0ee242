import Model
import Planning

/// What the loop sees of the world; a part that does not answer is nil, and noted.
extension Controller {
    /// The world that a plan is made in.
    func observe() async -> World {
        async let seenContainers = observeContainers()
        async let seenGateway = observeGateway()
        var world = await World(containers: seenContainers, gateway: seenGateway, published: published)
        world.servers = freshServers()
        world.searchedAt = searchedAt
        world.searchProblems = searchProblems
        world.breakers = breakers.all
        world.launches = recentLaunches()
        world.handshakes = ports.handshakes == nil ? nil : handshakes
        handshakes.considered(ports.now())
        world.asking = asking
        world.hostIsOnline = await observeHost()
        world.trial = trial
        countBytes(world.gateway)
        world.busy = Set(operations.keys).union(changedWhileLooking)
        world.removing = removing
        return world
    }

    /// Asked only while an exit seems dead: is it the exit, or have we lost the internet ourselves? When that is back the
    /// tunnels need a while to find out, and their exits get it.
    func observeHost() async -> Bool {
        isUndecided = false
        guard exits.values.contains(where: { $0.state.takesTraffic && $0.health.verdict == .dead }) else {
            // Nobody was asked; but traffic that comes back proves the same.
            let isProved = exits.values.contains { $0.state.takesTraffic && $0.health.verdict == .healthy }
            if isProved || alerts.troubles[.host] != nil { clear(.host) }
            (hostReturnedAt, allFailedAt) = (nil, nil)
            return true
        }
        let now = ports.now()
        if hostCheck.map({ now - $0.at >= 2 }) ?? true { hostCheck = (await ports.prober.hostIsOnline(), now) }
        guard hostCheck?.isOnline ?? true else {
            note(.host, HostOffline())
            (hostReturnedAt, allFailedAt) = (nil, nil)
            return false
        }
        switch commonFault(now) {
        case .undecided:
            isUndecided = true
            return false
        case .certain:
            if allFailedAt == nil { allFailedAt = now }
            note(.host, TunnelsDown())
            return false
        case .none: break
        }
        // What still fails gets a while to recover, and a short one where a trial has shown that another server helps.
        if alerts.troubles[.host] != nil { hostReturnedAt = now + (trialHasWorked ? min(0, 2 - settings.recoverySeconds) : 0) }
        allFailedAt = nil
        if alerts.troubles[.host] != nil { nudgeWatches() }
        clear(.host)
        return hostReturnedAt.map { now - $0 >= settings.recoverySeconds } ?? true
    }

    enum CommonFault { case none, undecided, certain }

    /// Whether so many exits fail at once, and no other one is well, that none of their servers can be to blame: what they
    /// have in common is. Undecided until each has been probed since the first of them failed; they are nudged.
    private func commonFault(_ now: Timestamp) -> CommonFault {
        let probed = exits.values.filter(\.state.isProbed)
        guard allFailedAt != nil || Set(probed.compactMap(\.server?.address)).count >= Self.exitsOfOneFault else { return .none }
        let dead = probed.filter { $0.health.verdict == .dead && !$0.health.isCertain }
        guard let first = dead.compactMap(\.health.degradedSince).min() else { return .none }
        var isDecided = true
        for exit in probed where exit.health.verdict != .dead && exit.health.failures == 0 {
            guard exit.health.checkedAt.map({ $0 < first }) ?? true, now - first < 2 else { return .none }
            isDecided = false
        }
        if !isDecided { nudgeWatches() }
        return isDecided && !dead.isEmpty ? .certain : .undecided
    }
    private static let exitsOfOneFault = 3

    /// The one exit that is moved although all fail: if another server serves it, the others follow at once.
    var trial: ExitID? {
        guard let allFailedAt, ports.now() - allFailedAt >= settings.recoverySeconds else { return nil }
        let waits = exits.values.contains { !$0.state.isProbed && !$0.leaving && $0.state != .draining && $0.state != .stopped }
        return waits ? nil : exits.values.filter { $0.health.verdict == .dead }.map(\.id).min()
    }

    private var trialHasWorked: Bool {
        guard let allFailedAt else { return false }
        return exits.values.contains { $0.health.verdict == .healthy && $0.provedAt.map { $0 >= allFailedAt } ?? false }
    }

    private struct EngineHangs: Error, CustomStringConvertible {
        let description = "the Docker Engine takes connections and does not answer: exits are neither started nor removed until it does"
    }

    private struct HostOffline: Error, CustomStringConvertible {
        let description = "this machine has lost the internet, so no exit is moved; check its network"
    }

    private struct TunnelsDown: Error, CustomStringConvertible {
        let description = "all exits fail at once, so none is moved but one as a trial; check this machine's way for UDP, and the account"
    }

    /// The containers; nil where the engine fails, or lets us wait. The pass then goes on without them, and a later one has
    /// the answer: a dead exit is unplugged also while the engine hangs.
    func observeContainers() async -> [ExitContainer]? {
        if listing == nil {
            eventStream.requestedList(now: ports.instant)
            listingSince = ports.instant
        }
        let list = listing ?? spawn { try await $0.ports.engine.list() }
        listing = list
        guard let result = await ports.result(of: list, within: settings.listSeconds) else {
            if ports.instant - listingSince >= .seconds(settings.engineHangSeconds) { note(.engine, EngineHangs()) }
            return nil
        }
        listing = nil
        do {
            let containers = try result.get()
            if let fence = containers.map(\.fence).max() { ports.leadership.saw(fence: fence) }
            eventStream.received(containers, now: ports.instant)
            if alerts.troubles[.engine] != nil { welcomeEngine() }
            clear(.engine)
            return containers
        } catch {
            note(.engine, error)
            return nil
        }
    }

    func observeGateway() async -> GatewayObservation? {
        // Before it was first published there is nothing to see.
        guard published != nil else { return nil }
        do {
            let observation = try await ports.gateway.observe()
            clear(.gateway)
            return observation
        } catch {
            note(.gateway, error)
            // It may have lost everything: give it its layout again.
            published = nil
            return nil
        }
    }

    /// What an earlier controller's gateway runs; nil where it does not answer soon.
    func gatewayAsFound() async -> GatewayObservation? {
        let question = spawn { try await $0.ports.gateway.observe() }
        guard var found = try? await ports.result(of: question, within: settings.listSeconds)?.get() else { return nil }
        // That compares with what was published last, which is nothing yet.
        found.restAgrees = true
        return found
    }

    /// A container that has ended will never answer: its exit need not wait for the deadline.
    func stopHopelessOperations(_ containers: [ExitContainer]?) {
        guard let containers else { return }
        for (id, operation) in operations {
            guard let exit = exits[id], exit.state == .verifying, !changedWhileLooking.contains(id) else { continue }
            let isRunning = containers.contains { $0.exit == id && $0.generation == exit.generation && $0.isRunning }
            if !isRunning { operation.cancel() }
        }
    }

    /// A container that is gone, by whoever's hand, is in nobody's way.
    func forgetStuckContainers(_ containers: [ExitContainer]?) {
        guard let containers else { return }
        let names = Set(containers.map(\.name))
        alerts.clearStuck(allBut: names)
        for name in removalTries.keys where !names.contains(name) { removalTries[name] = nil }
    }

    func recentLaunches() -> [CountryCode: [Timestamp]] {
        let now = ports.now()
        launches = launches.mapValues { $0.filter { now - $0 < settings.rules.budget.window } }.filter { !$0.value.isEmpty }
        return launches
    }

    /// Adds what the gateway has carried for each exit since it was last asked. One of which it has got an error is probed at once.
    func countBytes(_ gateway: GatewayObservation?) {
        guard let gateway else { return }
        usedSlots = []
        for exit in exits.values where exit.state.takesTraffic || exit.state == .draining {
            guard let slot = gateway.entry(country: exit.country, slot: exit.slot), slot.slot.endpoint == exit.endpoint else { continue }
            let last = slotFigures[exit.id]
            if slot.sessions > 0 { usedSlots.insert(exit.id) }
            slotFigures[exit.id] = (exit.generation, slot.received, slot.errors)
            // After a reload the gateway counts from zero again.
            guard let last, last.generation == exit.generation else { continue }
            if slot.errors > last.errors { nudgeWatch(exit.id) }
            if slot.received > last.bytes { exits[exit.id]?.carriedBytes += slot.received - last.bytes }
        }
        for id in slotFigures.keys where exits[id] == nil { slotFigures[id] = nil }
    }

    func freshServers() -> [CountryCode: [RankedServer]] {
        let now = ports.now()
        // Old ones are better than none, where no others can be had.
        servers = servers.filter { now - $0.value.at < 60 || searchProblems[$0.key] != nil }
        return servers.mapValues(\.ranked)
    }
}
