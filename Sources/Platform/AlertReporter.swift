package import Model
import Synchronization

/// Alerts that this process raises by itself, beside those of the loop: what it has seen of the store, also where another controller leads.
package final class AlertReporter: Sendable {
    /// An alert that has begun, or one that has ended.
    package enum Change: Sendable {
        case raised(Alert)
        case cleared(Alert)
        /// A text for the log and the audit log, without an alert.
        case noted(String)
    }

    private let state = Mutex<[AlertSubject: Alert]>([:])
    /// Changes, oldest first, for one reader; the newest 100 are kept for it.
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

    /// Records a text in the log and the audit log.
    package func note(_ text: String) { continuation.yield(.noted(text)) }

    package func clear(_ subject: AlertSubject) {
        if let cleared = state.withLock({ $0.removeValue(forKey: subject) }) { continuation.yield(.cleared(cleared)) }
    }
}
