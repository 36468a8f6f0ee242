/// Something that a human should see to, for as long as it is true.
package struct Alert: Hashable, Codable, Sendable {
    package var subject: AlertSubject
    package var severity: Severity
    package var message: String
    /// What a human should do.
    package var remedy: String
    package var since: Timestamp

    private enum CodingKeys: String, CodingKey {
        case subject = "id"
        case severity, message, remedy, since
    }

    package init(_ subject: AlertSubject, _ severity: Severity, _ message: String, remedy: String, since: Timestamp) {
        self.subject = subject
        self.severity = severity
        self.message = message
        self.remedy = remedy
        self.since = since
    }
}
