import Model
import Platform

/// Workers that finish their connections after a reload: they hear of no change of the layout by themselves.
extension HAProxyGateway {
    /// Ends what old workers still carry to exits that the layout has no more: those are dead, or have had their time.
    func cutStale(_ layout: GatewayLayout) async {
        let kept = Set(layout.pools.flatMap { $0.slots.compactMap(\.endpoint) })
        for pid in RuntimeAnswers.processes((try? await master.send("show proc")) ?? "").oldWorkers {
            // One that does not answer has ended meanwhile.
            guard let state = try? await master.send("@!\(pid) show servers state"),
                let sessions = try? await master.send("@!\(pid) show sess")
            else { continue }
            let stale = Set(
                RuntimeAnswers.slots(state).filter { entry in entry.slot.endpoint.map { !kept.contains($0) } ?? false }
                    .map { "\($0.backend)/\($0.slot.name)" })
            // One by one: of a server as a whole, a worker that stops refuses ("Proxy is disabled").
            for session in RuntimeAnswers.carried(sessions) where stale.contains(session.server) {
                _ = try? await master.send("@!\(pid) shutdown session \(session.id)")
                log.debug("a connection of an old worker is cut", ["server": session.server, "pid": "\(pid)"])
            }
        }
    }
}
