import Model
import Planning
import Platform

/// Targets that are asked through each exit now and then, to see where exits are blocked.
extension Controller {
    /// Seconds between two targets of one exit, and at most until a bad answer is confirmed.
    private static let gapSeconds = 1.0
    private static let confirmSeconds = 60.0

    /// Asks through one exit until it is probed no more. Exits that began together don't ask together.
    func askCanaries(of id: ExitID, _ generation: Int) async {
        let seconds = settings.canaries.seconds
        guard !settings.canaries.list.isEmpty else { return }
        var pause = min(seconds, Self.confirmSeconds) * Double.random(in: 0.1...1)
        while !Task.isCancelled {
            try? await ports.sleep(seconds: pause)
            guard isMonitored(id, generation), let monitor = probes.monitor(id, generation), let proxy = exits[id]?.proxy else { return }
            // While the tunnel fails, nothing is learned of a target.
            guard monitor.record.failures == 0 else {
                pause = min(seconds, 10)
                continue
            }
            for canary in settings.canaries.list {
                let outcome = await ports.prober.ask(canary, through: proxy)
                guard isMonitored(id, generation) else { return }
                take(outcome, of: canary, at: id, generation)
                try? await ports.sleep(seconds: min(seconds, Self.gapSeconds))
            }
            pause = (term.canaries.isSuspect(id) ? min(seconds, Self.confirmSeconds) : seconds) * Double.random(in: 0.9...1.1)
        }
    }

    private func take(_ outcome: CanaryOutcome, of canary: Canary, at id: ExitID, _ generation: Int) {
        let detail: String?
        switch outcome {
        case .unknown: return Metrics.canaryRequests.add(1, canary.name, "unknown")
        case .passed: detail = nil
        case .blocked(let words): detail = words
        }
        guard probes.monitor(id, generation)?.record.failures == 0 else { return }
        Metrics.canaryRequests.add(1, canary.name, detail == nil ? "passed" : "blocked")
        let before = term.canaries.blocked
        term.canaries.note(canary.name, at: id, detail: detail, server: exits[id]?.server?.hostname, ports.now())
        Metrics.canaryPassed.set(detail == nil ? 1 : 0, id.metricLabels + [canary.name])
        for (exit, names) in term.canaries.blocked where before[exit] != names {
            ports.log.warning("exit \(exit) is blocked by \(names.joined(separator: ", "))", ["detail": detail ?? ""])
        }
        // What one exit is answered says something of the others too.
        for (exit, monitor) in probes.monitors where exit == id || before[exit] != term.canaries.blocked[exit] {
            takeVerdict(exit, monitor.generation)
        }
    }

    /// Shows what was found in an exit's health.
    func showCanaries(of id: ExitID, in health: inout Health) {
        guard !settings.canaries.list.isEmpty else { return }
        health.canaries = term.canaries.results(at: id)
        health.blockedBy = term.canaries.blocked[id]
    }

    func forgetCanaries(of id: ExitID) {
        guard !settings.canaries.list.isEmpty else { return }
        term.canaries.forget(id, ports.now())
        Metrics.canaryPassed.keep { $0.first != "\(id)" }
    }
}
