package import Model

/// An event as the API shows it.
package struct EventView: Encodable {
    /// Nil while the store has not taken it.
    let id: String?
    let uid: String?
    let at: Timestamp
    let kind: EventKind
    let severity: Severity
    let message: String
    let country: CountryCode?
    let exit: ExitID?
    let server: String?
    let reason: ExitReason?
    let cause: String?
    let by: String?

    package init(id: String?, _ event: Event) {
        (self.id, uid, at, kind, severity, message) = (id, event.uid, event.at, event.kind, event.severity, event.message)
        (country, exit, server, reason, cause) = (event.country, event.exit, event.server, event.reason, event.cause?.rawValue)
        by = event.by
    }
}
