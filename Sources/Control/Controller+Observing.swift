import Model
import Planning

/// What the loop sees of the world; a part that does not answer is nil, and noted.
extension Controller {
    /// Asked only while an exit seems dead: is it the exit, or have we lost the internet ourselves? When that is back the
    /// tunnels need a while to find out, and their exits get it.
    func observeHost() async -> Bool {
        guard exits.values.contains(where: { $0.state.takesTraffic && $0.health.verdict == .dead }) else {
            clear(.host)
            hostReturnedAt = nil
            return true
        }
        let now = parts.now()
        if hostCheck.map({ now - $0.at >= 2 }) ?? true { hostCheck = (await parts.prober.hostIsOnline(), now) }
        guard hostCheck?.isOnline ?? true else {
            note(.host, HostOffline())
            hostReturnedAt = nil
            return false
        }
        if problems[.host] != nil { hostReturnedAt = now }
        clear(.host)
        return hostReturnedAt.map { now - $0 >= settings.recoverySeconds } ?? true
    }

    private struct HostOffline: Error, CustomStringConvertible {
        let description = "this machine has lost the internet, so no exit is moved; check its network"
    }

    func observeContainers() async -> [ExitContainer]? {
        do {
            let containers = try await parts.engine.list()
            if let fence = containers.map(\.fence).max() { parts.leadership.saw(fence: fence) }
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
            let observation = try await parts.gateway.observe()
            clear(.gateway)
            return observation
        } catch {
            note(.gateway, error)
            // It may have lost everything: give it its layout again.
            published = nil
            return nil
        }
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

    func recentLaunches() -> [CountryCode: [Timestamp]] {
        let now = parts.now()
        launches = launches.mapValues { $0.filter { now - $0 < settings.rules.budget.window } }.filter { !$0.value.isEmpty }
        return launches
    }

    /// Adds what the gateway has carried for each exit since it was last asked.
    func countBytes(_ gateway: GatewayObservation?) {
        guard let gateway else { return }
        for exit in exits.values where exit.state.takesTraffic || exit.state == .draining {
            guard let slot = gateway.entry(country: exit.country, slot: exit.slot), slot.slot.endpoint == exit.endpoint else { continue }
            let last = slotBytes[exit.id]
            slotBytes[exit.id] = (exit.generation, slot.received)
            // After a reload the gateway counts from zero again.
            guard let last, last.generation == exit.generation, slot.received > last.bytes else { continue }
            exits[exit.id]?.carriedBytes += slot.received - last.bytes
        }
        for id in slotBytes.keys where exits[id] == nil { slotBytes[id] = nil }
    }

    func freshServers() -> [CountryCode: [Server]] {
        let now = parts.now()
        servers = servers.filter { now - $0.value.at < 60 }
        return servers.mapValues(\.ranked)
    }
}
