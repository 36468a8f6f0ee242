import Model
import Planning
import Platform

/// Containers that nobody needs any more.
extension Controller {
    func remove(_ container: String) {
        guard term.removals.begin(container) else { return }
        spawn { await $0.removeNow(container) }
    }

    private func removeNow(_ container: String) async {
        let term = term
        do {
            await logLastLine(of: container)
            try await ports.engine.remove(container)
            term.removals.succeeded(container)
            term.alerts.clear(stuck: container)
        } catch {
            ports.log.warning("container can't be removed", ["container": container, "error": "\(error)"])
            // Whoever must be called is called once; the tries go on, seldom.
            let tries = term.removals.refused(container)
            if tries >= ContainerRemovals.triesUntilStuck, problem(.engine) == nil { term.alerts.note(stuck: container, "\(error)") }
            try? await ports.sleep(seconds: min(60, settings.removalSeconds * Double(tries)))
        }
        term.removals.end(container)
        wake()
    }

    /// What a container that failed said last goes with it: keep it in our log.
    private func logLastLine(of container: String) async {
        guard let words = try? await ports.engine.logs(of: container, lines: 5), let last = words.split(separator: "\n").last else {
            return
        }
        if !last.contains("proxy listening") { ports.log.warning("container \(container) said", ["last": String(last.prefix(300))]) }
    }

    /// A container that is gone, by whoever's hand, is in nobody's way.
    func forgetStuckContainers(allBut present: Set<String>) {
        term.removals.forget(allBut: present)
        term.alerts.clearStuck(allBut: present)
    }
}
