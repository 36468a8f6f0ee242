package import Model
package import OpenAPI

/// What `/api/settings` can change, as it is in force.
package struct LiveValues: Sendable {
    package var serving: RequestSettings
    /// Days that the audit log keeps an entry; 0 keeps all.
    package var retentionDays: Double

    package init(serving: RequestSettings, retentionDays: Double) {
        (self.serving, self.retentionDays) = (serving, retentionDays)
    }
}

/// One setting that can be changed while the controller runs.
package enum LiveSetting: String, CaseIterable, Sendable {
    case requests
    case strictRequests = "strict_requests"
    case failedKeys = "failed_keys"
    case logRequests = "log_requests"
    case auditRequests = "audit_requests"
    case auditRetentionDays = "audit_retention_days"

    /// The setting of the configuration that it changes.
    package var configuredName: String {
        switch self {
        case .requests, .strictRequests, .failedKeys: "api.limits.\(rawValue)"
        case .logRequests: "api.log_requests"
        case .auditRequests: "api.audit.requests"
        case .auditRetentionDays: "api.audit.retention_days"
        }
    }

    private static let counts = 1...100_000_000
    /// 0 is no limit.
    private static let limits = 0...100_000_000
    private static let days = 0.0...36_500

    /// - Parameter isInput: for a request's body.
    package func schema(isInput: Bool) -> Schema {
        switch self {
        case .requests: .whole(Self.limits, 100_000)
        case .strictRequests: .whole(Self.counts, isInput ? 100_000 : 120)
        case .failedKeys: .whole(Self.counts, isInput ? 100_000 : 20)
        case .logRequests, .auditRequests: .flag
        case .auditRetentionDays: .number(Self.days, 365)
        }
    }

    /// The value in a document, checked; nil where there is none, or a wrong one.
    package func read(_ reader: FieldReader) -> Document? {
        switch self {
        case .requests: reader.integer(rawValue, in: Self.limits).map(Document.integer)
        case .strictRequests, .failedKeys: reader.integer(rawValue, in: Self.counts).map(Document.integer)
        case .logRequests, .auditRequests: reader.bool(rawValue).map(Document.bool)
        case .auditRetentionDays: reader.number(rawValue, in: Self.days).map(Document.number)
        }
    }

    package func value(in values: LiveValues) -> Document {
        switch self {
        case .requests: .integer(values.serving.requests)
        case .strictRequests: .integer(values.serving.strictRequests)
        case .failedKeys: .integer(values.serving.failedKeys)
        case .logRequests: .bool(values.serving.logsRequests)
        case .auditRequests: .bool(values.serving.auditsRequests)
        case .auditRetentionDays: .number(values.retentionDays)
        }
    }

    func set(_ value: Document, in values: inout LiveValues) {
        switch (self, value) {
        case (.requests, .integer(let count)): values.serving.requests = count
        case (.strictRequests, .integer(let count)): values.serving.strictRequests = count
        case (.failedKeys, .integer(let count)): values.serving.failedKeys = count
        case (.logRequests, .bool(let flag)): values.serving.logsRequests = flag
        case (.auditRequests, .bool(let flag)): values.serving.auditsRequests = flag
        case (.auditRetentionDays, .number(let days)): values.retentionDays = days
        default: break
        }
    }
}
