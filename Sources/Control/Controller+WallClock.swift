import Model
import Planning
import Platform

/// Pauses and ages are told by the wall clock, since the store keeps them. When somebody sets that clock, they move with it.
extension Controller {
    /// Compares the wall clock with one that nobody can set, before each pass and each round of probes.
    func noticeClock() {
        guard term.isLoaded, let step = term.wallClock.step(wall: ports.now(), steady: ports.instant) else { return }
        let words = "\(Figures.decimal(abs(step), digits: 0)) s \(step > 0 ? "forward" : "back")"
        ports.log.warning("the clock was set \(words); pauses and ages are corrected")
        for id in exits.keys { exits[id]?.shift(by: step) }
        term.store.exits.mark(exits.keys)
        term.shift(by: step)
        probes.shift(by: step)
    }
}
