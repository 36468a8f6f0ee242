import Model
import Platform

/// A line in the log for each thing that happens to an exit.
extension Controller {
    func tell(from old: Exit?, to new: Exit?) {
        guard let new else {
            if let old { parts.log.info("exit \(old.id) is gone") }
            return
        }
        guard old?.state != new.state || old?.leaving != new.leaving else { return }
        let server =
            new.server.map {
                $0.hostname + ($0.load.map { ", load \($0) %" } ?? "")
                    + ($0.latencyMilliseconds.map { ", \(Figures.milliseconds($0))" } ?? "")
            }
            ?? ""
        switch new.state {
        case .pending, .failed:
            guard let reason = new.reason else { return parts.log.info("exit \(new.id) is wanted") }
            parts.log.warning("exit \(new.id) waits: \(reason.rawValue)", ["detail": new.detail ?? "", "attempts": String(new.attempts)])
        case .starting: parts.log.info("exit \(new.id) starts on \(server)")
        case .verifying: parts.log.info("exit \(new.id) proves its tunnel")
        case .serving:
            if old?.state == .degraded { return parts.log.info("exit \(new.id) is well again") }
            if new.leaving { return parts.log.info("exit \(new.id) is to leave") }
            let seconds = new.since - (old?.since ?? new.since)
            let place = new.publicCountry.map { " in \($0)" } ?? ""
            parts.log.info(
                "exit \(new.id) serves as \(new.publicAddress ?? "?")\(place)", ["verified_s": Figures.decimal(seconds, digits: 2)])
        case .degraded: parts.log.warning("exit \(new.id) is degraded", ["reason": new.reason?.rawValue ?? "unknown"])
        case .draining: parts.log.info("exit \(new.id) finishes its connections")
        case .stopped: parts.log.info("exit \(new.id) stops")
        }
    }
}
