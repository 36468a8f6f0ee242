import Model
import Planning
import Platform

/// What happens to exits, as breakers and alerts remember it.
extension Controller {
    /// What a change of an exit says about its server and its provider's key.
    func learn(from old: Exit?, to new: Exit) {
        let now = ports.now()
        if let failure = new.lastFailure, failure != old?.lastFailure, let server = failure.server {
            // A leak is the container's fault, or this machine's: another server is only a precaution.
            if failure.isServersFault, failure.reason != .leak {
                record(term.breakers.fail(.server(server.hostname), failure.reason, now), of: .server(server.hostname))
            }
            learnAboutCredential(of: server, failure.reason, now)
        }
        guard let server = new.server, old?.state != new.state else { return }
        switch new.state {
        case .starting:
            term.breakers.begin(.server(server.hostname), now)
            term.breakers.begin(.credential(account(of: server)), now)
        case .standby:
            term.handshakes.knowledge.proved(server, new.country, now)
            noteKeyAccepted(by: account(of: server))
        default: return
        }
    }

    /// A server whose exit has served for a while is a good one again.
    func noteProven(_ exit: Exit) {
        guard let key = exit.server.map({ BreakerKey.server($0.hostname) }) else { return }
        record(term.breakers.rest(key, ports.now()), of: key)
    }

    /// Records that a breaker has opened or closed.
    func record(_ transition: BreakerRegistry.Transition?, of key: BreakerKey) {
        switch transition {
        case .opened(let breaker):
            let seconds = breaker.openUntil.map { Figures.decimal($0 - ports.now(), digits: 0) } ?? "?"
            let again = breaker.openings > 1 ? " (\(breaker.openings) times in a row)" : ""
            record(.breakerOpened, .warning, "\(key) is not used for \(seconds) s: \(breaker.reason ?? "it failed")\(again)")
        case .closed: record(.breakerClosed, .info, "\(key) is used again")
        case nil: return
        }
    }

    /// Raises alerts for what has become true and clears those of what is no more.
    func reviewAlerts() {
        let now = ports.now()
        var facts = Alerts.Facts(desired: desired, exits: exits, breakers: term.breakers.all, uncompared: uncompared(now))
        facts.reported = ports.reports()
        facts.canaries = term.canaries
        guard let changes = term.alerts.review(facts, asked: Set(checks.times.keys), now: now) else { return }
        for alert in changes.raised {
            record(.alertRaised, alert.severity, "alert \(alert.subject): \(alert.message); \(alert.remedy)")
        }
        for subject in changes.cleared { record(.alertCleared, .info, "alert \(subject) is over") }
        publishView()
    }
}
