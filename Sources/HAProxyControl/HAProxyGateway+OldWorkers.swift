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
                let traffic = try? await master.send("@!\(pid) show stat -1 4 -1")
            else { continue }
            let busy = RuntimeAnswers.traffic(traffic).filter { $0.value.sessions > 0 }
            for entry in RuntimeAnswers.slots(state) {
                let name = "\(entry.backend)/\(entry.slot.name)"
                guard busy[name] != nil, let endpoint = entry.slot.endpoint, !kept.contains(endpoint) else { continue }
                _ = try? await master.send("@!\(pid) shutdown sessions server \(name)")
                log.debug("connections of an old worker are cut", ["server": name, "pid": "\(pid)"])
            }
        }
    }
}
