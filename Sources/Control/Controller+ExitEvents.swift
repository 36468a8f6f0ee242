import Model
import Planning
import Platform

/// An event for each thing that happens to an exit.
extension Controller {
    func recordTransition(from old: Exit?, to new: Exit?) {
        guard let new else {
            if let old { record(.exitGone, .info, "exit \(old.id) is gone", exit: old) }
            return
        }
        if old?.leaving != new.leaving, new.leaving, new.state.isProbed {
            let why = new.detail.map { ": \($0)" } ?? ""
            if new.reason == .targetBlocked { term.canaries.moved(new.country, ports.now()) }
            record(.exitLeaving, .info, "exit \(new.id) will be removed\(why)", exit: new, reason: new.reason, by: Originator.current)
        }
        if let failure = new.lastFailure, failure != old?.lastFailure { recordFailure(failure, of: new, old) }
        if old?.state != new.state { recordState(of: new, after: old) }
    }

    private func recordState(of new: Exit, after old: Exit?) {
        switch new.state {
        case .pending:
            if new.lastFailure == nil { record(.exitWanted, .info, "exit \(new.id) was added", exit: new, by: Originator.current) }
        case .failed:
            record(.exitFailed, .warning, "exit \(new.id) has failed \(new.attempts) times in a row", exit: new, reason: new.reason)
        case .starting: record(.exitStarting, .info, "exit \(new.id) starts on \(Self.words(new.server))", exit: new)
        case .verifying: record(.exitVerifying, .info, "exit \(new.id) verifies its tunnel", exit: new)
        case .standby: recordVerified(new, after: old)
        case .serving:
            if old?.state == .degraded { return record(.exitRecovered, .info, "exit \(new.id) is healthy again", exit: new) }
            record(.exitServing, .info, "exit \(new.id) serves as \(new.proof.address ?? "?")", exit: new)
        case .degraded:
            let reason = new.reason?.rawValue ?? "unknown"
            record(.exitDegraded, .warning, "exit \(new.id) is degraded: \(reason)", exit: new, reason: new.reason, cause: .probe)
        case .draining:
            recordRotation(from: old, to: new)
            record(.exitDraining, .info, "exit \(new.id) drains its connections", exit: new, reason: new.reason)
        case .stopped: record(.exitStopped, .info, "exit \(new.id) stops", exit: new, reason: new.reason)
        }
    }

    private func recordVerified(_ new: Exit, after old: Exit?) {
        let seconds = new.since - (old?.since ?? new.since)
        let place = new.proof.country.map { " in \($0)" } ?? ""
        record(
            .exitStandby, .info, "exit \(new.id) is verified as \(new.proof.address ?? "?")\(place)", exit: new,
            log: ["verified_s": Figures.decimal(seconds, digits: 2)])
    }

    /// One that leaves a pool that goes on was replaced, and its traffic moves now.
    private func recordRotation(from old: Exit?, to new: Exit) {
        guard let old, old.leaving, old.reason != .unwanted, old.reason != .idle, desired.pools[new.country] != nil else { return }
        // The planner says why it moves an exit; an operator need not.
        let cause: EventCause = old.detail == nil ? .operator : [.rotated, .credentialsRejected].contains(old.reason) ? .planner : .probe
        Metrics.rotations.add(1, cause.rawValue, old.reason?.rawValue ?? "none")
        let why = old.detail ?? "requested by an operator"
        record(.rotation, .info, "pool \(new.country) replaces exit \(new.id): \(why)", exit: new, reason: old.reason, cause: cause)
    }

    private func recordFailure(_ failure: Exit.Failure, of exit: Exit, _ old: Exit?) {
        let isProbes = old?.health.verdict == .dead && failure.reason != .containerExited && failure.reason != .containerGone
        // What was proved and not found dead ended by itself, whatever its last status says.
        let cause: EventCause = old?.state.isProbed ?? false ? isProbes ? .probe : .engine : .start
        var lost = exit
        lost.server = failure.server
        let kind: EventKind = failure.tookTraffic ? .failover : .exitLost
        Metrics.exitFailures.add(1, cause.rawValue, failure.reason.rawValue)
        if failure.tookTraffic {
            Metrics.failovers.add(1, cause.rawValue, failure.reason.rawValue)
            term.failovers.lost(exit.id, at: failure.at, cause: cause)
        }
        let unwell = failure.at - (old?.health.degradedSince ?? failure.at)
        let isLeak = failure.reason == .leak
        let words = "exit \(exit.id) is lost: \(failure.reason.rawValue)" + (isLeak ? ": \(failure.detail)" : "")
        record(
            kind, isLeak ? .critical : .warning, words, exit: lost, reason: failure.reason, cause: cause,
            log: [
                "detail": failure.detail, "attempts": String(exit.attempts), "server": failure.server?.hostname ?? "",
                "unwell_s": Figures.decimal(unwell, digits: 2),
            ])
    }

    private static func words(_ server: Server?) -> String {
        guard let server else { return "" }
        return server.hostname + (server.load.map { ", load \($0) %" } ?? "")
            + (server.latencyMilliseconds.map { ", \(Figures.milliseconds($0))" } ?? "")
            + (server.account.map { ", account \($0)" } ?? "")
    }
}
