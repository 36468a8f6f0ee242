package import Model
import Synchronization

/// Alerts of this process's own, beside those that the loop finds: what it has seen of the store, also where another controller leads.
package final class Concerns: Sendable {
    /// An alert that has begun, or one that has ended.
    package enum Change: Sendable {
        case raised(Alert)
        case cleared(Alert)
        /// Something that is to be written down, and is no alert.
        case noted(String)
    }

    private let state = Mutex<[String: Alert]>([:])
    /// Changes, for one who tells of them.
    package let changes: AsyncStream<Change>
    private let continuation: AsyncStream<Change>.Continuation

    package init() {
        (changes, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(100))
    }

    package var alerts: [Alert] { state.withLock { $0.values.sorted { $0.id < $1.id } } }

    /// Raises a critical alert, or changes what it says.
    package func raise(_ id: String, _ message: String, remedy: String) {
        let raised = state.withLock { alerts -> Alert? in
            let since = alerts[id]?.since
            let alert = Alert(id: id, severity: .critical, message: message, remedy: remedy, since: since ?? SystemClock.now())
            alerts[id] = alert
            return since == nil ? alert : nil
        }
        if let raised { continuation.yield(.raised(raised)) }
    }

    /// What is to be written down, in the audit log too.
    package func note(_ text: String) { continuation.yield(.noted(text)) }

    package func clear(_ id: String) {
        if let cleared = state.withLock({ $0.removeValue(forKey: id) }) { continuation.yield(.cleared(cleared)) }
    }
}
