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

    private let state = Mutex<[AlertSubject: Alert]>([:])
    /// Changes, for one who tells of them.
    package let changes: AsyncStream<Change>
    private let continuation: AsyncStream<Change>.Continuation

    package init() {
        (changes, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(100))
    }

    package var alerts: [Alert] { state.withLock { $0.values.sorted { $0.subject < $1.subject } } }

    /// Raises a critical alert, or changes what it says.
    package func raise(_ subject: AlertSubject, _ message: String, remedy: String) {
        let raised = state.withLock { alerts -> Alert? in
            let since = alerts[subject]?.since
            let alert = Alert(subject, .critical, message, remedy: remedy, since: since ?? SystemClock.now())
            alerts[subject] = alert
            return since == nil ? alert : nil
        }
        if let raised { continuation.yield(.raised(raised)) }
    }

    /// What is to be written down, in the audit log too.
    package func note(_ text: String) { continuation.yield(.noted(text)) }

    package func clear(_ subject: AlertSubject) {
        if let cleared = state.withLock({ $0.removeValue(forKey: subject) }) { continuation.yield(.cleared(cleared)) }
    }
}
