import AuditLog
import HTTPServing
import Model
import OpenAPI
import Platform
import RequestPipeline
import Synchronization

/// What `/api/settings` can change, as it is in force.
struct LiveValues: Sendable {
    var serving: RequestSettings
    var retentionDays: Double
}

/// One setting that can be changed while the controller runs.
enum LiveSetting: String, CaseIterable, Sendable {
    case requests
    case strictRequests = "strict_requests"
    case failedKeys = "failed_keys"
    case logRequests = "log_requests"
    case auditRequests = "audit_requests"
    case auditRetentionDays = "audit_retention_days"

    /// The setting of the configuration that it changes.
    var configuredName: String {
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
    func schema(isInput: Bool) -> Schema {
        switch self {
        case .requests: .whole(Self.limits, 100_000)
        case .strictRequests: .whole(Self.counts, isInput ? 100_000 : 120)
        case .failedKeys: .whole(Self.counts, isInput ? 100_000 : 20)
        case .logRequests, .auditRequests: .flag
        case .auditRetentionDays: .number(Self.days, 365)
        }
    }

    /// The value in a document, checked; nil where there is none, or a wrong one.
    func read(_ reader: FieldReader) -> Document? {
        switch self {
        case .requests: reader.integer(rawValue, in: Self.limits).map(Document.integer)
        case .strictRequests, .failedKeys: reader.integer(rawValue, in: Self.counts).map(Document.integer)
        case .logRequests, .auditRequests: reader.bool(rawValue).map(Document.bool)
        case .auditRetentionDays: reader.number(rawValue, in: Self.days).map(Document.number)
        }
    }

    func value(in values: LiveValues) -> Document {
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

/// Where changed settings are kept, for every controller of this store and for the next start.
package protocol SettingStore: Sendable {
    /// The values that were changed, in JSON, by the settings' names.
    func settings() async throws -> [String: String]
    /// Keeps these; nil forgets one.
    func save(settings: [String: String?]) async throws
}

/// The settings in force: what the configuration says, and over it what was changed through the API.
final class LiveSettings: Sendable {
    private struct State {
        var configured: LiveValues
        var changes: [LiveSetting: Document] = [:]
        var inForce: LiveValues
        /// Counts changes made here, so that what was read before one does not undo it.
        var edition = 0
        /// What the store held when it was last taken over.
        var taken: [String: String]?
    }

    private let state: Mutex<State>

    /// Keeps its entries as long as the settings say.
    private let audit: AuditLog

    init(_ values: LiveValues, audit: AuditLog) {
        state = Mutex(State(configured: values, inForce: values))
        self.audit = audit
    }

    var values: LiveValues { state.withLock { $0.inForce } }
    var edition: Int { state.withLock { $0.edition } }
    /// Names of those that differ from the configuration because somebody changed them.
    var changed: [String] { state.withLock { state in LiveSetting.allCases.filter { state.changes[$0] != nil }.map(\.rawValue) } }

    func configure(_ body: (inout LiveValues) -> Void) {
        state.withLock { state in
            body(&state.configured)
            apply(&state)
        }
    }

    /// Nil gives a setting back to the configuration.
    func change(_ changes: [LiveSetting: Document?]) {
        state.withLock { state in
            for (setting, value) in changes { state.changes[setting] = value }
            state.edition += 1
            state.taken = nil
            apply(&state)
        }
    }

    /// Takes over what the store holds, unless something was changed here since it was asked.
    /// - Returns: what is wrong with it; such values are left out. Nil where nothing is new.
    func take(_ stored: [String: String], edition: Int) -> [FieldProblem]? {
        state.withLock { state in
            guard state.edition == edition, state.taken != stored else { return nil }
            state.taken = stored
            let document = Document.object(
                stored.mapValues { (try? Document(json: $0.utf8)) ?? .string($0) })
            let reader = FieldReader(document)
            state.changes = LiveSetting.allCases.reduce(into: [:]) { $0[$1] = $1.read(reader) }
            apply(&state)
            return reader.finish()
        }
    }

    private func apply(_ state: inout State) {
        state.inForce = state.configured
        for (setting, value) in state.changes { setting.set(value, in: &state.inForce) }
        audit.retentionDays = state.inForce.retentionDays
    }

    /// Takes over what any controller changes, once a second, until it is cancelled.
    func follow(_ store: any SettingStore, log: Log) async {
        while !Task.isCancelled {
            let edition = edition
            if let stored = try? await store.settings(), let problems = take(stored, edition: edition) {
                for problem in problems { log.warning("a stored setting is ignored", ["problem": "\(problem)"]) }
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }
}
