import API
import AccessControl
import Control
import Model
import Platform
import Synchronization

/// Reads the configuration again while the controller runs.
final class Reloading: Sendable {
    /// Settings that count at once; all others need a restart.
    private static let live: Set = [
        "api.limits", "api.trusted_proxies", "api.allowed_networks", "api.origins", "api.log_requests", "api.audit",
        "api.metrics_user_names", "api.streams", "api.streams_per_key", "api.keys",
        "api.session_seconds", "api.session_idle_seconds",
    ]

    private let current: Mutex<Configuration>
    private let read: @Sendable () throws -> Configuration
    private let keys: KeyRing
    private let admin: APIKey
    private let target = Mutex<API?>(nil)
    private let log: Log

    init(_ configuration: Configuration, keys: KeyRing, admin: APIKey, log: Log, read: @escaping @Sendable () throws -> Configuration) {
        current = Mutex(configuration)
        self.read = read
        self.keys = keys
        self.admin = admin
        self.log = log
    }

    /// What is reloaded.
    func serve(_ api: API) { target.withLock { $0 = api } }

    /// The settings in force.
    var settings: [SettingView] { current.withLock { $0.settings } }

    /// The same as `reload`, and an event for it.
    func reload(recordingIn controller: Controller, cause: EventCause = .operator) async throws -> ReloadReport {
        let report = try reload()
        func words(_ names: [String]) -> String { names.isEmpty ? "nothing" : names.joined(separator: ", ") }
        let message = "the configuration was read again; changed: \(words(report.changed)); needs a restart: \(words(report.needsRestart))"
        await controller.record(.reloaded, .info, message, cause: cause, by: Originator.current)
        return report
    }

    /// Checks all of it, then takes what can be taken, all at once.
    /// - Throws: `ReloadRefusal`; nothing was changed then.
    func reload() throws -> ReloadReport {
        let new: Configuration
        do { new = try read() } catch let error as ConfigurationError {
            log.error("the configuration is not used", ["problems": error.problems.joined(separator: "; ")])
            throw ReloadRefusal(problems: error.problems)
        }
        let api = target.withLock { $0 }
        return current.withLock { current in
            let different = Self.difference(current, new)
            let changed = different.filter { name in Self.live.contains { name == $0 || name.hasPrefix("\($0).") } }
            api?.configure(new.api.serving, auditRetentionDays: new.api.auditRetentionDays)
            keys.replaceConfigured([admin] + new.api.keys)
            let report = ReloadReport(changed: changed, needsRestart: different.filter { !changed.contains($0) })
            // What needs a restart is still the old: the next reload says it again.
            current.api.serving = new.api.serving
            current.api.auditRetentionDays = new.api.auditRetentionDays
            current.api.keys = new.api.keys
            current.origins = new.origins
            return report
        }
    }

    /// Names of settings whose values differ. Of a key its digest counts too, which is not shown.
    private static func difference(_ old: Configuration, _ new: Configuration) -> [String] {
        func values(_ configuration: Configuration) -> [String: String] {
            let keys = configuration.api.keys.map { ("api.keys.\($0.name)", "\($0.role) \($0.digest)") }
            return Dictionary(configuration.settings.map { ($0.name, $0.value) } + keys) { $1 }
        }
        let (before, after) = (values(old), values(new))
        return Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }.sorted()
    }
}
