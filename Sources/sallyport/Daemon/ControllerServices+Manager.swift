import Control
import Model
import Platform

/// What the service manager is told of the controller: systemd, where the unit says `Type=notify`.
extension ControllerServices {
    /// Seconds without a finished pass after which the controller counts as hung. A pass waits for an engine, a gateway and a store that do
    /// not answer, each with a limit of its own and all together for less than that.
    static let patience = 120.0

    /// The last to start: by then the API answers, whether this controller leads or follows. None where nobody wants to be told.
    var managed: [Service] {
        guard let manager else { return [] }
        let controller = parts.controller
        return [
            Service("service manager") { lifecycle in
                manager.ready()
                // Of a queue of its own: it goes on, and falls silent for the right reason, while Swift's tasks are held up.
                let heartbeat = manager.watchdogSeconds.map { seconds in
                    Ticker(label: "sallyport.service-manager", seconds: seconds / 3) {
                        if controller.hasPassed(within: Self.patience) { manager.alive() }
                    }
                }
                heartbeat?.start()
                lifecycle.started()
                await lifecycle.whileServing { await Self.report(controller, to: manager) }
                manager.stopping()
                heartbeat?.stop()
            }
        ]
    }

    /// At most one line a second.
    private static func report(_ controller: Controller, to manager: ServiceManager) async {
        var told = ""
        while !Task.isCancelled {
            let snapshot = await controller.publicView.wait(seconds: 60) { [told] in words($0) != told }
            told = words(snapshot)
            manager.status(told)
            try? await Task.sleep(for: .seconds(1))
        }
    }

    static func words(_ snapshot: Snapshot) -> String {
        if let leader = snapshot.leader { return "follows, controller \(leader) leads" }
        let troubles = snapshot.problems.keys.map(\.rawValue).sorted().joined(separator: ", ")
        let serving = snapshot.exits.values.count { $0.state == .serving }
        return "leads, \(serving) of \(snapshot.exits.count) exits serve" + (troubles.isEmpty ? "" : "; trouble with \(troubles)")
    }
}
