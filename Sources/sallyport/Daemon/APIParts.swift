import API
import AccessControl
import AuditLog
import Control
import HTTPServing
import Model
import Platform
import RedisStore
import Webhooks

/// The API of a controller, and the webhooks that it manages.
struct APIParts: Sendable {
    let api: API
    let reloading: Reloading
    let webhooks: WebhookSender

    /// - Parameters:
    ///   - tail: the log's last lines.
    ///   - read: reads the configuration again.
    init(_ parts: Parts, tail: LogTail, read: @escaping @Sendable () throws -> Configuration) throws {
        let (configuration, log, storage) = (parts.configuration, parts.log, parts.storage)
        let admin = try AdminKey.load(configuration.adminKeyFile, log: log)
        let keys = KeyRing([admin] + configuration.api.keys)
        let reloading = Reloading(
            configuration, keys: keys, admin: admin, log: log,
            takeAccounts: { await parts.servers.use($0, exchanged: $1, by: parts.controller) }, read: read)
        let hooks = WebhookTable(connection: storage.apiConnection, prefix: configuration.redisPrefix, tables: storage.tables)
        let sender = WebhookSender(
            record: hooks, transport: WebhookClient(client: parts.client, authorityFile: configuration.webhooks.authorityFile),
            settings: configuration.webhooks.sending(version: Version.current), log: log,
            mayAct: { storage.leadership.isLeader })
        var outside = Self.kept(in: storage, configuration, alertReporter: parts.alertReporter)
        (outside.webhooks, outside.webhookSender, outside.logTail) = (hooks, sender, tail)
        outside.reload = { try await reloading.reload(recordingIn: parts.controller) }
        outside.configuration = { reloading.settings }
        outside.showsDashboard = configuration.api.showsDashboard
        let entries = ProxyEntries(configuration)
        outside.entries = { entries.entries(in: $0) }
        api = API(
            operations: ControllerOperations(
                controller: parts.controller, servers: parts.servers.catalog,
                speedTester: SpeedTester(client: parts.client, url: configuration.speedTestURL), credentials: parts.credentials,
                usageRecord: storage.usage, gateway: parts.gateway, alertReporter: parts.alertReporter),
            keys: keys, proxy: ProxyAddress(host: configuration.gateway.address, port: configuration.gateway.port),
            settings: configuration.api.serving, parts: outside, version: Version.current, log: log)
        reloading.serve(api)
        api.configure(configuration.api.serving, auditRetentionDays: configuration.api.auditRetentionDays)
        (self.reloading, webhooks) = (reloading, sender)
    }

    /// What the API keeps in the store.
    private static func kept(in storage: StoreParts, _ configuration: Configuration, alertReporter: AlertReporter) -> API.Parts {
        let store = APIStore(connection: storage.apiConnection, prefix: configuration.redisPrefix, tables: storage.tables)
        let authenticator = Authenticator(storage.rootKey, purpose: AuditChain.purpose)
        var parts = API.Parts()
        (parts.memory, parts.keys, parts.audit, parts.settings, parts.figures) = (store, store, store, store, store)
        parts.sessions = RedisSessions(
            store: store, authenticator: Authenticator(storage.rootKey, purpose: RedisSessions.purpose))
        parts.codes = Authenticator(storage.rootKey, purpose: SignInCodes.purpose)
        (parts.marks, parts.alertReporter, parts.events) = (storage.marks, alertReporter, storage.events)
        parts.authenticator = { storage.tables.isSigned ? authenticator : nil }
        return parts
    }
}

/// The admin's own key.
enum AdminKey {
    /// Reads the key; the first start makes one.
    static func load(_ path: String, log: Log) throws -> APIKey {
        if !Files.exists(path) {
            try Files.write(Digest.randomWord(length: 43) + "\n", to: path, mode: 0o600)
            log.info("made an admin key", ["file": path])
        }
        let key = OperatorText.bare(try Files.readText(path, limit: 4096))
        if let problem = PasswordRule.problem(withKey: key) {
            throw StartError(message: "the admin key in \(path): \(problem); remove that file, and the next start makes a new key in it")
        }
        return APIKey(name: "admin", role: .admin, digest: Digest.sha256(key))
    }
}
