package import Model
import Planning
import Platform

/// Events: what happened, for the log and the store.
extension Controller {
    /// Writes an event to the log at once, and to the store as soon as it answers.
    package func record(
        _ kind: EventKind, _ severity: Severity = .info, _ message: String, exit: Exit? = nil, country: CountryCode? = nil,
        reason: ExitReason? = nil, cause: EventCause? = nil, by: String? = nil, log fields: KeyValuePairs<String, String> = [:]
    ) {
        Metrics.events.add(1, kind.rawValue)
        switch severity {
        case .info: ports.log.info(message, fields)
        case .warning: ports.log.warning(message, fields)
        case .critical: ports.log.error(message, fields)
        }
        events.add(
            Event(
                at: ports.now(), kind, severity, message, country: country, exit: exit?.id, server: exit?.server?.hostname, reason: reason,
                cause: cause, by: by))
    }

    /// Stores events as they come, in their order; while the store is away they wait.
    func keepEvents() async {
        while !Task.isCancelled {
            await events.added.wait()
            while !events.isEmpty, !Task.isCancelled {
                let batch = events.next
                do {
                    try await ports.store.append(batch)
                    events.stored(batch)
                } catch {
                    note(.store, error)
                    try? await ports.sleep(seconds: 1)
                }
            }
        }
    }
}
