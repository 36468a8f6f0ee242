import API
import AccessControl
import Control
import Model
import Platform
import Providers
import Synchronization

/// Reads the configuration again while the controller runs.
final class Reloading: Sendable {
    /// Settings that count at once; all others need a restart.
    private static let live: Set = [
        "api.limits", "api.trusted_proxies", "api.allowed_networks", "api.origins", "api.log_requests", "api.audit",
        "api.metrics_user_names", "api.streams", "api.streams_per_key", "api.keys",
        "api.session_seconds", "api.session_idle_seconds",
    ]

    /// The same of a provider that was there before: its accounts.
    private static let liveOfProviders: Set = [
        "accounts", "access_token", "private_key", "preshared_key", "credentials", "address", "dns", "mtu", "keepalive", "devices",
    ]

    /// Takes the accounts of a configuration, and those among them that have another key or token.
    typealias TakeAccounts = @Sendable (Configuration, Set<ProviderAccount>) async -> Void

    private let current: Mutex<Configuration>
    private let read: @Sendable () throws -> Configuration
    private let keys: KeyRing
    private let admin: APIKey
    private let target = Mutex<API?>(nil)
    private let takeAccounts: TakeAccounts
    private let log: Log

    init(
        _ configuration: Configuration, keys: KeyRing, admin: APIKey, log: Log, takeAccounts: @escaping TakeAccounts = { _, _ in },
        read: @escaping @Sendable () throws -> Configuration
    ) {
        self.takeAccounts = takeAccounts
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
        let report = try await reload()
        func words(_ names: [String]) -> String { names.isEmpty ? "nothing" : names.joined(separator: ", ") }
        let message = "the configuration was read again; changed: \(words(report.changed)); needs a restart: \(words(report.needsRestart))"
        await controller.record(.reloaded, .info, message, cause: cause, by: Originator.current)
        return report
    }

    /// Checks all of it, then takes what can be taken, all at once.
    /// - Throws: `ReloadRefusal`; nothing was changed then.
    func reload() async throws -> ReloadReport {
        let (report, configuration, exchanged) = try take()
        if report.changed.contains(where: { $0.hasPrefix("providers.") }) { await takeAccounts(configuration, exchanged) }
        return report
    }

    private func take() throws -> (ReloadReport, Configuration, exchanged: Set<ProviderAccount>) {
        let new: Configuration
        do { new = try read() } catch let error as ConfigurationError {
            log.error("the configuration is not used", ["problems": error.problems.joined(separator: "; ")])
            throw ReloadRefusal(problems: error.problems)
        }
        let api = target.withLock { $0 }
        return current.withLock { current in
            let different = Self.difference(current, new)
            let providers = Set(current.providerNames).intersection(new.providerNames)
            let changed = different.filter { name in
                Self.live.contains { name == $0 || name.hasPrefix("\($0).") } || Self.isAccounts(name, of: providers)
            }
            api?.configure(new.api.serving, auditRetentionDays: new.api.auditRetentionDays)
            keys.replaceConfigured([admin] + new.api.keys)
            let report = ReloadReport(changed: changed, needsRestart: different.filter { !changed.contains($0) })
            // What needs a restart is still the old: the next reload says it again.
            current.api.serving = new.api.serving
            current.api.auditRetentionDays = new.api.auditRetentionDays
            current.api.keys = new.api.keys
            current.origins = new.origins
            let exchanged = current.takeAccounts(of: new)
            return (report, current, exchanged)
        }
    }

    private static func isAccounts(_ name: String, of providers: Set<ProviderName>) -> Bool {
        let parts = name.split(separator: ".")
        guard parts.count > 2, parts[0] == "providers", providers.contains(ProviderName(rawValue: String(parts[1]))) else { return false }
        return parts[1] == ProviderName.wireguard.rawValue ? parts[2] == "devices" : liveOfProviders.contains(String(parts[2]))
    }

    /// Names of settings whose values differ. Of a key its digest counts too, which is not shown.
    private static func difference(_ old: Configuration, _ new: Configuration) -> [String] {
        func values(_ configuration: Configuration) -> [String: String] {
            let keys = configuration.api.keys.map { ("api.keys.\($0.name)", "\($0.role) \($0.digest)") }
            return Dictionary(configuration.settings.map { ($0.name, $0.value) } + keys + configuration.secretDigests) { $1 }
        }
        let (before, after) = (values(old), values(new))
        return Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }.sorted()
    }
}

extension Configuration {
    fileprivate var providerNames: [ProviderName] { providers.map(\.provider.name) + (wireGuard == nil ? [] : [.wireguard]) }

    /// Digests of the accounts' secrets by the names of their settings, so that another one is seen without being shown.
    fileprivate var secretDigests: [(String, String)] {
        providers.flatMap { settings in
            settings.accounts.flatMap { account -> [(String, String)] in
                let prefix = "providers.\(settings.provider.name)." + (account.name.map { "accounts.\($0)." } ?? "")
                let preshared = account.facts.presharedKey.map { [(prefix + "preshared_key", "\(Digest.sha256($0.revealed))")] } ?? []
                switch account.credentials {
                case .accessToken(let token): return preshared + [(prefix + "access_token", "\(Digest.sha256(token.revealed))")]
                case .privateKey(let key): return preshared + [(prefix + "private_key", "\(Digest.sha256(key.revealed))")]
                case nil: return preshared
                }
            }
        }
    }

    /// Takes the accounts of providers that were there before; those that are new, or have another key or token.
    fileprivate mutating func takeAccounts(of new: Configuration) -> Set<ProviderAccount> {
        var exchanged: Set<ProviderAccount> = []
        for index in providers.indices {
            let name = providers[index].provider.name
            guard let other = new.providers.first(where: { $0.provider.name == name }) else { continue }
            for account in other.accounts {
                let before = providers[index].accounts.first { $0.name == account.name }
                if before?.credentials != account.credentials { exchanged.insert(ProviderAccount(name, account.name)) }
            }
            providers[index].accounts = other.accounts
        }
        if let devices = new.wireGuard?.devices { wireGuard?.devices = devices }
        return exchanged
    }
}
