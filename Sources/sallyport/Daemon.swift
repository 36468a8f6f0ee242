import API
import Catalog
import Control
import DockerEngine
import Glibc
import HAProxyControl
import HTTPServing
import HTTPTransport
import Latency
import Model
import Planning
import Platform
import Providers
import RedisStore

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
        let apiStore = APIStore(connection: apiRedis, prefix: configuration.redisPrefix)
        var apiParts = API.Parts()
        (apiParts.memory, apiParts.keys, apiParts.audit) = (apiStore, apiStore, apiStore)
        apiParts.logTail = tail
        apiParts.reload = { try reloading.reload() }
        apiParts.configuration = { reloading.lines }
        let api = API(
            operations: ControllerOperations(
                controller: parts.controller, servers: parts.catalog,
                speedTester: SpeedTester(client: parts.client, url: configuration.speedTestURL), usageRecord: parts.usageRecord),
            keys: keys,
            proxy: ProxyAddress(host: configuration.gateway.address, port: configuration.gateway.port), settings: configuration.api.serving,
            parts: apiParts, version: Version.current,
            log: log)
        do { try Ports.check(configuration.api.address, configuration.api.port) } catch {
            throw StartError(message: "the API \(error); set api.port")
        }
        reloading.serve(api)
        api.audit.retentionDays = configuration.api.auditRetentionDays
        let server = try HTTPServer(
            address: configuration.api.address, port: configuration.api.port, limits: configuration.api.limits, dispatch: api.dispatcher())
        log.info("API on http://\(configuration.api.address):\(server.port)", ["admin_key": configuration.adminKeyFile])

        let loop = Task { await parts.controller.run() }
        let refreshing = Task { await parts.keepCatalogFresh() }
        let serving = Task { await api.run() }
        let warmUp = Task { await parts.warmUp() }
        let supervision = Task { await parts.superviseRedis() }
        let meter = Task { await parts.meter.run() }
        let certificates = Task { await parts.watchCertificates() }
        let accessLog = parts.accessLog.map { log in Task { await log.run() } }
        let welcome = Task { if let country { await Welcome(parts, configuration).open(country) } }
        for await signal in signals {
            guard signal == SIGHUP else { break }
            let report = try? reloading.reload()
            api.audit.record(
                AuditEntry(.system, "SIGHUP", details: report.map { "changed: \($0.changed.joined(separator: " "))" } ?? "refused"))
        }

        log.info("the controller stops; exits, gateway and store go on")
        welcome.cancel()
        supervision.cancel()
        meter.cancel()
        certificates.cancel()
        accessLog?.cancel()
        warmUp.cancel()
        refreshing.cancel()
        await server.stop()
        // After the last request: what it did is written down too.
        serving.cancel()
        await serving.value
        await apiRedis.close()
        loop.cancel()
        await loop.value
        await parts.leadership.resign()
        await parts.close()
        withExtendedLifetime(lock) {}
        return Command.Status.success
    }

    /// The admin's own key, which the first start makes.
    private static func adminKey(_ configuration: Configuration, log: Log) throws -> APIKey {
        let path = configuration.adminKeyFile
        if !Files.exists(path) {
            try Files.write(Digest.randomWord(length: 43) + "\n", to: path, mode: 0o600)
            log.info("made an admin key", ["file": path])
        }
        let key = try Files.read(path, limit: 4096).filter { !$0.isWhitespace }
        guard key.utf8.count >= 32 else {
            throw StartError(message: "the key in \(path) has \(key.utf8.count) characters, want 32 or more")
        }
        return APIKey(name: "admin", role: .admin, digest: Digest.sha256(key))
    }
}

/// Every concrete part of a controller, made from the configuration and wired to each other.
struct Parts: Sendable {
    let configuration: Configuration
    let log: Log
    let client: HTTPClient
    let exits: ExitContainers
    let gateway: HAProxyGateway
    let privateRedis: PrivateRedis?
    let redis: RedisConnection
    let leaseRedis: RedisConnection
    let leadership: Leadership
    let catalog: Catalog
    let prober: HTTPProber
    let controller: Controller
    let usageRecord: UsageRecord
    let meter: UsageMeter
    let accessLog: AccessLog?

    init(_ configuration: Configuration, log: Log) throws {
        self.configuration = configuration
        self.log = log
        client = HTTPClient()
        privateRedis = configuration.redis == nil ? PrivateRedis(folder: "\(configuration.dataFolder)/redis") : nil
        redis = RedisConnection(address: configuration.redisAddress)
        leaseRedis = RedisConnection(address: configuration.redisAddress, deadline: 1)
        let mark = FenceMark(folder: configuration.gateway.directory)
        let leadership = Leadership(
            .init(instance: try InstanceName.read(configuration.dataFolder), isShared: configuration.redisIsShared),
            store: RedisLease(record: LeaseRecord(connection: leaseRedis, prefix: configuration.redisPrefix), mark: mark))
        leadership.saw(fence: mark.number)
        self.leadership = leadership
        let warrant: @Sendable () throws -> Int = { try mark.warrant(of: leadership) }
        exits = try Self.exits(configuration, client: client, log: log, warrant: warrant)
        gateway = try HAProxyGateway(
            share: "\(configuration.shareFolder)/haproxy", settings: Self.gatewaySettings(configuration), log: log,
            warrant: { _ = try warrant() })
        let store = Store(connection: redis, prefix: configuration.redisPrefix, fence: { leadership.fence })
        let client = client
        let providers = configuration.providers.map { settings in
            let account = ProviderClient(
                settings.provider, url: settings.apiURL, listPath: settings.listPath, options: settings.options,
                credentials: settings.credentials, client: client)
            return (client: account, facts: settings.facts)
        }
        let keys = ProviderKeys(providers)
        let latency = LatencyMeasurement(keys: keys)
        catalog = Catalog(
            sources: providers.map { ProviderSource(client: $0.client) },
            settings: .init(refreshSeconds: configuration.catalogRefreshSeconds), store: RedisListings(store: store), log: log,
            resolve: { await NameResolver.addresses(of: $0) }, measure: { try await latency.measure($0, $1) })
        prober = HTTPProber(client: client, urls: configuration.verification.urls, log: log)
        controller = Controller(
            parts: .init(
                engine: DockerExits(containers: exits), gateway: gateway,
                store: RedisState(store: store, leadership: leadership, log: log), catalog: catalog,
                keys: keys, prober: prober, leadership: leadership,
                orders: configuration.redisIsShared
                    ? RedisOrders(queue: OrderQueue(connection: redis, prefix: configuration.redisPrefix)) : nil,
                log: log),
            settings: .init(
                rules: .init(drainSeconds: configuration.gateway.drainSeconds), probeSeconds: configuration.health.probeSeconds,
                deepSeconds: configuration.health.deepSeconds, checkName: configuration.verification.checkName))
        usageRecord = UsageRecord(connection: redis, prefix: configuration.redisPrefix)
        meter = UsageMeter(source: gateway, store: usageRecord, controller: controller, log: log)
        accessLog =
            configuration.gateway.accessLog == .off
            ? nil
            : AccessLog(socket: Self.gatewaySettings(configuration).logSocket, file: "\(configuration.dataFolder)/access.log", log: log)
    }

    /// Takes renewed certificates over while we run.
    func watchCertificates() async {
        while !Task.isCancelled {
            do { try await gateway.refreshCertificates() } catch { log.warning("certificates", ["error": "\(error)"]) }
            try? await Task.sleep(for: .seconds(5))
        }
    }

    static func exits(
        _ configuration: Configuration, client: HTTPClient, log: Log, warrant: @escaping @Sendable () throws -> Int = { 0 }
    ) throws -> ExitContainers {
        let docker = configuration.docker
        return ExitContainers(
            engine: try EngineClient(address: docker.host, client: client),
            settings: .init(
                owner: docker.owner, image: docker.image, imageArchive: docker.imageArchive, network: docker.network, subnet: docker.subnet),
            log: log, warrant: warrant)
    }

    static func gatewaySettings(_ configuration: Configuration) -> HAProxyConfiguration.Settings {
        let gateway = configuration.gateway
        var settings = HAProxyConfiguration.Settings(
            gatewayAddress: gateway.address, gatewayPort: gateway.port, runDirectory: gateway.directory,
            luaFolder: "\(configuration.shareFolder)/haproxy/lua", clientLimit: gateway.clientLimit)
        settings.countryPorts = gateway.countryPorts
        settings.trustedPorts = gateway.trustedPorts
        settings.tlsPort = gateway.tlsPort
        settings.certificateSource = gateway.certificateFolder
        settings.closedPorts = gateway.closedPorts
        settings.openPorts = gateway.openPorts
        settings.refusedNetworks = gateway.refusedNetworks + Ports.localAddresses()
        settings.accessLog = gateway.accessLog
        return settings
    }

    /// Names a port that somebody else holds, before anything is started.
    func checkPorts() async throws {
        // An HAProxy that another controller starts or reloads at this moment has the port, and does not answer yet.
        let end = ContinuousClock.now + .seconds(configuration.redisIsShared ? 5 : 0)
        while true {
            if await gateway.isRunning() { return }
            do { return try Ports.check(configuration.gateway.address, configuration.gateway.port) } catch {
                guard ContinuousClock.now < end else { throw StartError(message: "the gateway \(error); set gateway.port") }
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    func startRedis() async throws {
        guard let privateRedis else { return }
        log.info(try await privateRedis.start() ? "started the private Redis" : "found the private Redis running")
    }

    /// Starts the private Redis again whenever it has died.
    func superviseRedis() async {
        guard let privateRedis else { return }
        while !Task.isCancelled {
            do {
                if try await privateRedis.start() { log.warning("the private Redis had ended; started it again") }
            } catch  where !Task.isCancelled {
                log.error("the private Redis can't be started", ["error": "\(error)"])
            } catch {}
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// Does ahead what the first exit would wait for.
    func warmUp() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await exits.prepareImage()
                    // Of several controllers the one that leads makes it, with its first exit: the engine lets two make two.
                    if !configuration.redisIsShared { _ = try await exits.prepareNetwork() }
                } catch {
                    log.warning("the engine is not ready", ["error": "\(error)"])
                }
            }
            group.addTask { try? await catalog.refresh() }
            group.addTask { _ = await prober.directAddress() }
        }
    }

    /// The catalog sees pools and exits, and keeps the candidates of all pools measured.
    func keepCatalogFresh() async {
        let controller = controller
        await catalog.follow {
            let snapshot = controller.snapshot
            let now = SystemClock.now()
            return .init(
                pools: snapshot.desired.pools.values.sorted { $0.country < $1.country },
                held: snapshot.exits.values.filter { $0.state != .stopped }.compactMap(\.server),
                breakers: snapshot.breakers.mapValues { $0.state(now) })
        }
        await catalog.run()
    }

    func close() async {
        client.close()
        await redis.close()
        await leaseRedis.close()
    }
}

/// Takes away all that a controller leaves behind on purpose.
enum Teardown {
    static func run(_ configuration: Configuration) async throws -> Int32 {
        let log = Log(format: configuration.logFormat, minimum: configuration.logLevel)
        try Files.makePrivateFolder(configuration.dataFolder)
        guard let lock = try FolderLock("\(configuration.dataFolder)/lock") else {
            throw StartError(message: "a controller runs on \(configuration.dataFolder); stop it first")
        }
        try await refuseWhileAnotherLeads(configuration)
        let client = HTTPClient()
        defer { client.close() }
        var status = Command.Status.success
        func step(_ what: String, _ body: () async throws -> Void) async {
            do {
                try await body()
                log.info("removed \(what)")
            } catch {
                log.error("can't remove \(what)", ["error": "\(error)"])
                status = Command.Status.failure
            }
        }
        await step("the gateway") {
            try await HAProxyGateway(
                share: "\(configuration.shareFolder)/haproxy", settings: Parts.gatewaySettings(configuration), log: log
            ).stop()
        }
        await step("the exits and their network") { try await Parts.exits(configuration, client: client, log: log).removeAll() }
        if configuration.redis == nil {
            await step("the private Redis") { try await PrivateRedis(folder: "\(configuration.dataFolder)/redis").stop() }
        }
        withExtendedLifetime(lock) {}
        return status
    }

    /// Exits and gateway may be another controller's too.
    private static func refuseWhileAnotherLeads(_ configuration: Configuration) async throws {
        let connection = RedisConnection(address: configuration.redisAddress)
        let holder = try? await LeaseRecord(connection: connection, prefix: configuration.redisPrefix).holder()
        await connection.close()
        if let holder, try holder != InstanceName.read(configuration.dataFolder) {
            throw StartError(message: "controller \(holder) leads on this store and needs the exits and the gateway; stop it first")
        }
    }
}
