package import AccessControl
package import AuditLog
package import EventStreams
import Model
package import Platform
package import RequestPipeline
package import TimeSeries

extension API {
    /// What the API keeps outside of this process; each may be absent, and then lives in memory.
    package struct Parts: Sendable {
        package var memory: (any SharedMemory)?
        package var keys: (any KeyStore)?
        package var sessions: (any SessionStore)?
        /// Makes and checks one-time codes; nil makes codes that this process alone takes.
        package var codes: Authenticator?
        package var audit: (any AuditStore)?
        /// What must not be set back in the store, and what to tell where it was.
        package var marks = HighMarks(path: nil)
        package var alertReporter = AlertReporter()
        /// Makes and checks the codes of the audit log's entries; nil where they have none.
        package var authenticator: @Sendable () -> Authenticator? = { nil }
        package var figures: (any FigureStore)?
        package var webhooks: (any WebhookStore)?
        package var webhookSender: (any WebhookSending)?
        package var settings: (any SettingStore)?
        package var logTail: LogTail?
        package var events: (any EventSource)?
        /// Where proxy users can connect, in a state.
        package var entries: (@Sendable (OperatorState) -> [ProxyEntry])?
        /// Reads the configuration again; throws `ReloadRefusal`.
        package var reload: (@Sendable () async throws -> ReloadReport)?
        /// The settings as the configuration has them, secrets masked.
        package var configuration: (@Sendable () -> [SettingView])?
        /// False where `api.dashboard` is off.
        package var showsDashboard = true
        package init() {}
    }
}
