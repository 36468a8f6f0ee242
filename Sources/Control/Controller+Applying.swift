import Model
import Planning
import Platform

/// What the loop does: each step is one call of an adapter.
extension Controller {
    /// False where the gateway does not have what was planned.
    func apply(_ steps: [Step]) async -> Bool {
        guard ports.leadership.isLeader else { return false }
        // What takes long is begun first.
        for step in steps {
            switch step {
            case .findServers(let country): findServers(country)
            case .ask(let country, let servers): ask(country, servers)
            case .launch(let id):
                term.launches.begun(id.country, now: ports.now())
                begin(id) { await $0.launch(id) }
            case .verify(let id): begin(id) { await $0.verify(id) }
            case .remove, .publish: continue
            }
        }
        // The gateway lets go of an exit before its container is removed.
        var isPublished = true
        for case .publish(let layout) in steps { isPublished = await publish(layout) }
        guard isPublished, ports.leadership.isLeader else { return isPublished }
        for case .remove(let container) in steps { remove(container) }
        return true
    }

    // MARK: - Operations

    private func begin(_ id: ExitID, _ body: @escaping @Sendable (isolated Controller) async -> Void) {
        guard operations[id] == nil else { return }
        operations[id] = spawn { controller in
            await body(controller)
            controller.finish(id)
        }
    }

    private func finish(_ id: ExitID) {
        operations[id] = nil
        term.revisions.changed(id)
        wake()
    }

    // MARK: - The gateway

    private func publish(_ layout: GatewayLayout) async -> Bool {
        let term = term
        do {
            try await ports.gateway.publish(layout)
            term.gateway.published = layout
            guard term === self.term else { return false }
            notePlugged(layout)
            clear(.gateway)
            return true
        } catch {
            note(.gateway, error)
            term.gateway.published = nil
            return false
        }
    }

    private func notePlugged(_ layout: GatewayLayout) {
        let ready = layout.pools.flatMap { $0.slots.filter { $0.state == .ready }.compactMap(\.occupant?.exit) }
        let now = Set(ready.filter { exits[$0] != nil })
        let before = term.gateway.plugged ?? []
        guard now != before else { return }
        let time = ports.now()
        for id in now.subtracting(before).sorted() {
            if let seconds = term.onDemand.serves(id.country, at: ports.instant, now: time) { Metrics.onDemandSeconds.observe(seconds) }
            guard let (seconds, cause) = term.failovers.serves(id.country, at: time) else { continue }
            Metrics.failoverDuration.observe(seconds, cause.rawValue)
            ports.log.info("exit \(id) serves in place of a lost one", ["after_s": Figures.decimal(seconds, digits: 2)])
        }
        term.gateway.plugged = now
        publishView()
    }
}
