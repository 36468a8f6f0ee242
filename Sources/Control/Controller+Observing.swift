import Model
import Planning

/// What the loop sees of the world; a dependency that does not answer is nil, and noted.
extension Controller {
    struct Observation {
        var world: World
        /// The latest change of an exit that it may know of. It says nothing about exits that have changed since.
        var revision: Int
    }

    /// The world that a plan is made in.
    func observe() async -> Observation {
        // A list that is on its way says nothing of what has changed since it was requested.
        let revision = term.listing?.revision ?? term.revisions.latest
        async let seenContainers = observeContainers()
        async let seenGateway = observeGateway()
        var world = await World(containers: seenContainers, gateway: seenGateway, published: term.gateway.published)
        let now = ports.now()
        world.servers = term.searches.fresh(now: now)
        world.searchedAt = term.searches.begunAt
        world.searchProblems = term.searches.problems
        world.breakers = term.breakers.all
        world.keyNames = ports.keys.keyNames
        world.blockedServers = term.canaries.avoided(now)
        if rules.retirement.replacesBlocked { world.movableBlocked = term.canaries.movable(now) }
        world.launches = term.launches.recent(window: rules.budget.window, now: now)
        world.handshakes = ports.handshakes == nil ? nil : term.handshakes.knowledge
        term.handshakes.knowledge.considered(now)
        world.asking = term.handshakes.asking
        world.hostIsOnline = await observeHost()
        if rules.onDemand.countries != .none { noteListed(await ports.catalog.countries()) }
        world.trial = term.host.trial(exits, now: ports.now())
        if let gateway = world.gateway { countBytes(gateway) }
        world.busy = Set(operations.keys).union(term.revisions.newer(than: revision))
        world.removing = term.removals.underWay
        return Observation(world: world, revision: revision)
    }

    // MARK: - The engine

    /// The containers; nil where the engine fails, or lets us wait. The pass then goes on without them, and a later one has the answer: a dead
    /// exit is unplugged also while the engine hangs.
    private func observeContainers() async -> [ExitContainer]? {
        let term = term
        let listing = term.listing ?? requestList()
        guard let result = await ports.result(of: listing.task, within: settings.listSeconds) else {
            if ports.instant - listing.requestedAt >= .seconds(settings.engineHangSeconds) { note(.engine, EngineHangs()) }
            return nil
        }
        term.listing = nil
        // In another term it is an old list.
        guard term === self.term else { return nil }
        do {
            let containers = try result.get()
            if let fence = containers.map(\.fence).max() { ports.leadership.observed(fence: fence) }
            eventStream.received(containers, now: ports.instant)
            if problem(.engine) != nil { forgetEngineFailures() }
            clear(.engine)
            return containers
        } catch {
            note(.engine, error)
            return nil
        }
    }

    private func requestList() -> ContainerListing {
        let now = ports.instant
        eventStream.requestedList(now: now)
        let task = spawn { try await $0.ports.engine.list() }
        let listing = ContainerListing(task: task, requestedAt: now, revision: term.revisions.latest)
        term.listing = listing
        return listing
    }

    private struct EngineHangs: Error, CustomStringConvertible {
        let description = "the Docker Engine accepts connections but does not answer: no exit is started or removed until it does"
    }

    /// An engine that answers again may have lost all containers: nobody waits for what failed while it was away, nor is it counted.
    private func forgetEngineFailures() {
        for (id, exit) in exits where exit.state == .pending || exit.state == .failed {
            switch exit.lastFailure?.reason {
            case .engineUnavailable, .startFailed, .containerExited, .containerGone, .verifyTimeout, .proxyDown:
                // It is to be begun in this very pass.
                change(id, generation: exit.generation, isSeen: true) { $0.forgetFailures() }
            default: continue
            }
        }
        term.launches.forgetAll()
    }

    // MARK: - The gateway

    private func observeGateway() async -> GatewayObservation? {
        let term = term
        // Before it was first published there is nothing to see.
        guard term.gateway.published != nil else { return nil }
        do {
            let observation = try await ports.gateway.observe()
            clear(.gateway)
            return observation
        } catch {
            note(.gateway, error)
            // It may have lost everything: give it its layout again.
            term.gateway.published = nil
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

    /// Adds what the gateway has carried for each exit since it was last asked. One of which it has got an error is probed at once.
    private func countBytes(_ gateway: GatewayObservation) {
        let news = term.gateway.slots.take(gateway, exits)
        probes.used = term.gateway.slots.used
        for (id, bytes) in news.carried { exits[id]?.proof.carriedBytes += bytes }
        let used = Set(term.gateway.slots.used.map(\.country))
        term.onDemand.see(connected: used, carried: Set(news.carried.keys.map(\.country)), desired, now: ports.now())
        for id in news.faulty { probes.hasten(id) }
    }

    // MARK: - This machine

    /// Asked only while an exit seems dead: is it the exit, or have we lost the internet ourselves? When that is back the tunnels need a while to
    /// find out, and their exits get it.
    private func observeHost() async -> Bool {
        let term = term
        if term.host.needsCheck(exits, now: ports.now()) {
            let now = ports.now()
            let isOnline = await ports.prober.hostIsOnline()
            term.host.checked(isOnline: isOnline, now: now)
        }
        guard term === self.term else { return true }
        let verdict = term.host.judge(exits, now: ports.now())
        if verdict.wantsProbes { probes.hastenAll() }
        switch verdict.finding {
        case .unknown, .undecided: break
        case .well: clear(.host)
        case .trouble(let problem): note(.host, problem)
        }
        return verdict.isOnline
    }
}
