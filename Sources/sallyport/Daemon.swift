import API
import AccessControl
import AuditLog
import Control
import Glibc
import HAProxyControl
import HTTPServing
import Model
import Platform
import RedisStore
import RequestPipeline
import Webhooks

/// A start that can't go on, with the remedy.
struct StartError: Error, CustomStringConvertible {
    var message: String
    var description: String { message }
}

/// The controller's process: builds the parts, starts them in order, stops them in reverse.
enum Daemon {
    static func run(
        _ configuration: Configuration, open country: CountryCode?, read: @escaping @Sendable () throws -> Configuration
    ) async throws -> Int32 {
        let tail = LogTail()
        let log = Log(format: configuration.logFormat, minimum: configuration.logLevel, tail: tail)
        try Files.makePrivateFolder(configuration.dataFolder)
        guard let lock = try FolderLock("\(configuration.dataFolder)/lock") else {
            throw StartError(message: "another controller runs on \(configuration.dataFolder)")
        }
        try Files.write("\(getpid())\n", to: "\(configuration.dataFolder)/pid", mode: 0o600)
        let signals = Signals.stream([SIGINT, SIGTERM, SIGHUP])
        let parts = try Parts(configuration, log: log)
        try await parts.checkPorts()
        try await parts.startRedis()
        let admin = try adminKey(configuration, log: log)
        let keys = KeyRing([admin] + configuration.api.keys)
        let reloading = Reloading(configuration, keys: keys, admin: admin, log: log, read: read)
        await parts.controller.claimLease()
        if parts.leadership.isLeader {
            do { try await parts.controller.load() } catch { log.warning("the store does not answer yet", ["error": "\(error)"]) }
        }
        let apiRedis = RedisConnection(address: configuration.redisAddress)
        let apiStore = APIStore(connection: apiRedis, prefix: configuration.redisPrefix, tables: parts.tables)
        var apiParts = API.Parts()
        (apiParts.memory, apiParts.keys, apiParts.audit, apiParts.settings) = (apiStore, apiStore, apiStore, apiStore)
        let authenticator = Authenticator(parts.rootKey, purpose: AuditChain.purpose)
        (apiParts.marks, apiParts.concerns, apiParts.authenticator) = (
            parts.marks, parts.concerns, { parts.tables.isSigned ? authenticator : nil }
        )
        (apiParts.logTail, apiParts.events) = (tail, parts.events)
        apiParts.figures = apiStore
        let hooks = WebhookTable(connection: apiRedis, prefix: configuration.redisPrefix, tables: parts.tables)
        let sender = WebhookSender(
            record: hooks, transport: WebhookClient(client: parts.client, authorityFile: configuration.webhooks.authorityFile),
            settings: configuration.webhooks.sending(version: Version.current), log: log,
            mayAct: { parts.leadership.isLeader })
        (apiParts.webhooks, apiParts.webhookSender) = (hooks, sender)
        apiParts.reload = { try await reloading.reload(telling: parts.controller) }
        apiParts.configuration = { reloading.settings }
        let entries = ProxyEntries(configuration)
        apiParts.entries = { entries.entries(in: $0) }
        let api = API(
            operations: ControllerOperations(
                controller: parts.controller, servers: parts.catalog, devices: parts.configuration.devices,
                speedTester: SpeedTester(client: parts.client, url: configuration.speedTestURL), credentials: parts.credentials,
                usageRecord: parts.usageRecord, concerns: parts.concerns),
            keys: keys,
            proxy: ProxyAddress(host: configuration.gateway.address, port: configuration.gateway.port), settings: configuration.api.serving,
            parts: apiParts, version: Version.current,
            log: log)
        do { try Ports.check(configuration.api.address, configuration.api.port) } catch {
            throw StartError(message: "the API \(error); set api.port")
        }
        reloading.serve(api)
        api.configure(configuration.api.serving, auditRetentionDays: configuration.api.auditRetentionDays)
        let server = try HTTPServer(
            address: configuration.api.address, port: configuration.api.port, limits: limits(configuration, log),
            answersAlways: RequestPipeline.isHealth, refuse: api.refuser(), dispatch: api.dispatcher())
        log.info("API on http://\(configuration.api.address):\(server.port)", ["admin_key": configuration.adminKeyFile])

        let loop = Task { await parts.controller.run() }
        let refreshing = Task { await parts.keepCatalogFresh() }
        let serving = Task { await api.run() }
        let webhooks = Task { await sender.run() }
        let marking = Task { await parts.marks.run() }
        let telling = Task { await parts.tellConcerns(to: api.audit) }
        let watchingRows = Task { await parts.tables.watch { parts.leadership.isLeader ? parts.leadership.fence : nil } }
        let copying = Task {
            await parts.tables.keepCheckpoint(configuration.checkpointFile) { parts.leadership.isLeader ? parts.leadership.fence : nil }
        }
        let watchingPolicy = Task { await parts.store.watchPolicy(parts.concerns) }
        let warmUp = Task { await parts.warmUp() }
        let supervision = Task { await parts.superviseRedis() }
        let meter = Task { await parts.meter.run() }
        let watchingEntries = Task { await parts.watchEntries() }
        let accessLog = parts.accessLog.map { log in Task { await log.run() } }
        let traefik = parts.traefik.map { file in Task { await file.follow(parts.controller) } }
        let welcome = Task { if let country { await Welcome(parts, configuration).open(country) } }
        for await signal in signals {
            guard signal == SIGHUP else { break }
            let report = try? await reloading.reload(telling: parts.controller, cause: "signal")
            api.audit.record(
                AuditEntry(.system, "SIGHUP", details: report.map { "changed: \($0.changed.joined(separator: " "))" } ?? "refused"))
        }

        log.info("the controller stops; exits, gateway and store go on")
        welcome.cancel()
        supervision.cancel()
        meter.cancel()
        watchingEntries.cancel()
        accessLog?.cancel()
        traefik?.cancel()
        warmUp.cancel()
        refreshing.cancel()
        api.cancelLongPolls()
        await server.stop()
        // After the last request: what it did is written down too.
        serving.cancel()
        await serving.value
        webhooks.cancel()
        await webhooks.value
        marking.cancel()
        telling.cancel()
        watchingRows.cancel()
        watchingPolicy.cancel()
        copying.cancel()
        await apiRedis.close()
        loop.cancel()
        await loop.value
        await parts.leadership.resign()
        await parts.close()
        log.flush()
        withExtendedLifetime(lock) {}
        return Command.Status.success
    }

    /// Connections that fit into what descriptors there are.
    private static func limits(_ configuration: Configuration, _ log: Log) -> HTTPServer.Limits {
        var limits = configuration.api.limits
        let descriptors = DescriptorLimit.raise()
        let fitting = UInt32(DescriptorLimit.connections(Int(limits.connections), of: descriptors))
        if fitting < limits.connections {
            log.warning(
                "the API takes \(fitting) connections at once, not \(limits.connections): raise the limit of open files (ulimit -Hn)",
                ["descriptors": String(descriptors)])
            limits.connections = fitting
        }
        return limits
    }

    /// The admin's own key, which the first start makes.
    private static func adminKey(_ configuration: Configuration, log: Log) throws -> APIKey {
        let path = configuration.adminKeyFile
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
