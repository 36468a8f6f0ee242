import Model
import Planning
import Platform

/// What is wrong with what the controller depends on.
extension Controller {
    /// What is wrong with it; nil where it has answered, or was not asked in this term.
    func problem(_ dependency: Dependency) -> String? { term.alerts.troubles[dependency]?.message }

    /// Remembers what is wrong, and tells it once.
    func note(_ dependency: Dependency, _ error: any Error) {
        // Whoever stops us in the middle of a question is no trouble of the dependency's.
        if Task.isCancelled || error is NotLeader { return }
        checks.note(dependency, ports.now())
        let full = error as? StoreFull
        if full != nil { term.store.refusedAt = ports.instant }
        guard let change = term.alerts.note(dependency, "\(error)", remedy: full?.remedy, ports.now()) else { return }
        if change == .began {
            record(.partTroubled, .warning, "problem with the \(dependency.rawValue)", log: ["error": "\(error)"])
        }
        publishView()
    }

    /// It has answered. A full store answers too, and is not well for that.
    func clear(_ dependency: Dependency) {
        checks.note(dependency, ports.now())
        guard dependency != .store || term.store.refusedAt == nil, term.alerts.clear(dependency) else { return }
        record(.partRecovered, .info, "the \(dependency.rawValue) works again")
        publishView()
    }

    /// The store has taken a write. At its limit it takes one and refuses the next, so that one which was full is well again only after a while
    /// without a refusal.
    func noteWritten() {
        if let refusedAt = term.store.refusedAt, ports.instant - refusedAt < .seconds(settings.roomSeconds) { return }
        term.store.refusedAt = nil
        clear(.store)
    }
}
