import API
import AuditLog
import Catalog
import Control
import DockerEngine
import HAProxyControl
import HTTPTransport
import Latency
import Model
import Planning
import Platform
import Providers
import RedisStore

/// Every concrete part of a controller, made from the configuration and wired to each other.
struct Parts: Sendable {
    let configuration: Configuration
    let rootKey: RootKey
    /// What must not be set back in the store, and what to tell where it was.
    let marks: HighMarks
    let concerns = Concerns()
    /// What exits ask for.
    let credentials: ExitCredentials
    let log: Log
    let client: HTTPClient
    let exits: ExitContainers
    let gateway: HAProxyGateway
    let privateRedis: PrivateRedis?
    let redis: RedisConnection
    let leaseRedis: RedisConnection
    let tables: SignedTables
    let store: Store
    let leadership: Leadership
    let catalog: Catalog
    let breakers = ProviderBreakers()
    let prober: HTTPProber
    let controller: Controller
    let events: RedisEvents
    let usageRecord: UsageRecord
    let meter: UsageMeter
    let accessLog: AccessLog?
    let traefik: TraefikFile?

    init(_ configuration: Configuration, log: Log) throws {
        self.configuration = configuration
        // A data folder that has a name but no marks is the version before's.
        let isOwn =
            !Files.exists(configuration.rootKeyFile) || InstanceName.exists(configuration.dataFolder) && !configuration.hasMarks
        rootKey = try RootKey.load(configuration.rootKeyFile)
        marks = HighMarks(path: configuration.marksFile, log: log)
        let credentials = ExitCredentials(root: rootKey)
        self.credentials = credentials
        self.log = log
        client = HTTPClient()
        privateRedis = configuration.redis == nil ? PrivateRedis(folder: "\(configuration.dataFolder)/redis") : nil
        redis = RedisConnection(address: configuration.redisAddress)
        leaseRedis = RedisConnection(address: configuration.redisAddress, deadline: 1)
        tables = SignedTables(
            connection: redis, prefix: configuration.redisPrefix, rootKey: rootKey, marks: marks, concerns: concerns, log: log)
        tables.begin(isOwn: isOwn)
        let mark = FenceMark(folder: configuration.gateway.directory)
        let leadership = Leadership(
            .init(instance: try InstanceName.read(configuration.dataFolder), isShared: configuration.redisIsShared),
            store: RedisLease(
                record: LeaseRecord(connection: leaseRedis, prefix: configuration.redisPrefix), mark: mark,
                tables: tables))
        leadership.saw(fence: mark.number)
        tables.recall(configuration.checkpointFile, fence: mark.number)
        self.leadership = leadership
        let warrant: @Sendable () throws -> Int = { try mark.warrant(of: leadership) }
        exits = try Self.exits(configuration, client: client, credentials: credentials, log: log, warrant: warrant)
        gateway = try HAProxyGateway(
            share: "\(configuration.shareFolder)/haproxy", settings: Self.gatewaySettings(configuration), credentials: credentials,
            log: log,
            warrant: { _ = try warrant() })
        let store = Store(connection: redis, prefix: configuration.redisPrefix, fence: { leadership.fence }, tables: tables)
        self.store = store
        // They come again with each try, so old ones may go.
        let (unstored, unstoredEvents) = AsyncStream.makeStream(of: [Event].self, bufferingPolicy: .bufferingNewest(16))
        events = RedisEvents(
            store: store, tail: EventTail(address: configuration.redisAddress, prefix: configuration.redisPrefix), unstored: unstored)
        let usageRecord = UsageRecord(connection: redis, prefix: configuration.redisPrefix, fence: { leadership.fence })
        self.usageRecord = usageRecord
        let client = client
        let providers = configuration.providers.map { settings in
            let account = ProviderClient(
                settings.provider, url: settings.apiURL, listPath: settings.listPath, options: settings.options,
                credentials: settings.credentials, authorityFile: settings.authorityFile, client: client)
            return (client: account, facts: settings.facts)
        }
        let keys = ProviderKeys(providers, breakers: breakers)
        let serving = ServingExits()
        let latency = LatencyMeasurement(keys: keys)
        catalog = Catalog(
            sources: providers.map { ProviderSource(client: $0.client, exit: { serving.one }) },
            settings: Self.catalogSettings(configuration), store: RedisListings(store: store), log: log,
            breakers: breakers, resolve: { await NameResolver.addresses(of: $0) }, measure: { try await latency.measure($0, $1) })
        prober = HTTPProber(
            client: client, urls: configuration.verification.urls, checkName: configuration.verification.checkName,
            credentials: credentials,
            log: log)
        var rules = Planner.Rules(drainSeconds: configuration.gateway.drainSeconds)
        rules.devices = DeviceBudget(configuration.devices)
        var settings = ControllerSettings(
            rules: rules, probeSeconds: configuration.health.probeSeconds,
            deepSeconds: configuration.health.deepSeconds, checkName: configuration.verification.checkName)
        settings.countryMustMatch = configuration.verification.country == .strict
        let accessLog =
            configuration.gateway.accessLog == .off
            ? nil
            : AccessLog(socket: Self.gatewaySettings(configuration).logSocket, file: "\(configuration.dataFolder)/access.log", log: log)
        self.accessLog = accessLog
        let controller = Controller(
            ports: .init(
                engine: DockerExits(containers: exits), gateway: gateway,
                store: RedisState(store: store, usage: usageRecord, leadership: leadership, unstored: unstoredEvents, log: log),
                catalog: PoolServers(catalog: catalog),
                keys: keys, prober: prober, handshakes: HandshakeQuestions(catalog: catalog, measurement: latency), leadership: leadership,
                commands: configuration.redisIsShared
                    ? RedisCommandRelay(
                        queue: CommandQueue(connection: redis, prefix: configuration.redisPrefix), rootKey: rootKey,
                        leadership: leadership, concerns: concerns, log: log) : nil,
                log: log,
                reports: { [gateway, catalog] in gateway.guessAlerts + [accessLog?.alert].compactMap(\.self) + catalog.alerts() }),
            settings: settings)
        self.controller = controller
        serving.follow {
            let exits = controller.snapshot.exits.values.filter { $0.state == .serving && !$0.leaving }
            return exits.randomElement()?.proxy.map(credentials.proxy)
        }
        meter = UsageMeter(source: gateway, store: usageRecord, controller: controller, log: log)
        traefik = configuration.traefik.map { TraefikFile(settings: $0, log: log) }
    }

    /// Takes renewed certificates over while we run, and ports that were in use before.
    func watchEntries() async {
        while !Task.isCancelled {
            do { try await gateway.refreshCertificates() } catch { log.warning("certificates", ["error": "\(error)"]) }
            do { try await gateway.refreshPorts() } catch { log.warning("opening ports", ["error": "\(error)"]) }
            try? await Task.sleep(for: .seconds(5))
        }
    }

    static func exits(
        _ configuration: Configuration, client: HTTPClient, credentials: ExitCredentials? = nil, log: Log,
        warrant: @escaping @Sendable () throws -> Int = { 0 }
    ) throws -> ExitContainers {
        let docker = configuration.docker
        let refused = RefusedTargets(
            closedPorts: configuration.gateway.closedPorts, openPorts: configuration.gateway.openPorts,
            networks: configuration.gateway.refusedNetworks, neededPorts: configuration.portsOfOwnRequests,
            ownAddresses: Ports.localAddresses)
        return ExitContainers(
            engine: try EngineClient(address: docker.host, client: client, advice: docker.context?.advice),
            settings: .init(
                owner: docker.owner, image: docker.image, imageArchive: docker.imageArchive, network: docker.network, subnet: docker.subnet,
                gatewayNetwork: docker.gatewayNetwork, credentials: credentials, refused: refused),
            log: log, warrant: warrant)
    }

    private static func catalogSettings(_ configuration: Configuration) -> Catalog.Settings {
        var settings = Catalog.Settings(refreshSeconds: configuration.catalogRefreshSeconds)
        settings.countrySeconds = configuration.countrySeconds
        for provider in configuration.providers { settings.providerSeconds[provider.provider.name] = provider.refreshSeconds }
        return settings
    }

    static func gatewaySettings(_ configuration: Configuration) -> HAProxyConfiguration.Settings {
        let gateway = configuration.gateway
        var settings = HAProxyConfiguration.Settings(
            gatewayAddress: gateway.address, gatewayPort: gateway.port, runDirectory: gateway.directory,
            luaFolder: "\(configuration.shareFolder)/haproxy/lua", clientLimit: gateway.clientLimit)
        settings.countryPorts = gateway.countryPorts
        settings.trustedPorts = gateway.trustedPorts
        settings.isStartedByUs = gateway.isStartedByUs
        settings.tlsPort = gateway.tlsPort
        settings.certificateSource = gateway.certificateFolder
        settings.closedPorts = gateway.closedPorts
        settings.openPorts = gateway.openPorts
        settings.refusedNetworks = gateway.refusedNetworks
        settings.accessLog = gateway.accessLog
        settings.pendingLimit = gateway.pendingLimit
        settings.tlsLimit = gateway.tlsLimit
        return settings
    }

    /// Names a port that somebody else holds, before anything is started.
    func checkPorts() async throws {
        // An HAProxy that another controller starts or reloads at this moment has the port, and does not answer yet.
        let end = ContinuousClock.now + .seconds(configuration.redisIsShared ? 5 : 0)
        while true {
            if await gateway.isThere() || !configuration.gateway.isStartedByUs { return }
            do { return try checkGatewayPorts() } catch { guard ContinuousClock.now < end else { throw error } }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Those that are known before the pools are; one of a country stays closed with a warning.
    private func checkGatewayPorts() throws {
        let gateway = configuration.gateway
        var ports = [("port", gateway.port)]
        if let port = gateway.tlsPort, gateway.certificateFolder != nil { ports.append(("tls_port", port)) }
        if let base = gateway.trustedPorts {
            ports += [HAProxyConfiguration.generalOffset, HAProxyConfiguration.anyOffset].map { ("trusted_ports", base + $0) }
        }
        for (setting, port) in ports {
            do { try Ports.check(gateway.address, port) } catch {
                throw StartError(message: "the gateway \(error); set gateway.\(setting)")
            }
        }
    }

    func startRedis() async throws {
        guard let privateRedis else { return }
        let isStarted = try await startAndTell(privateRedis)
        log.info(isStarted ? "started the private Redis" : "found the private Redis running")
    }

    /// Starts it unless it runs, and tells what of its file had to be mended.
    private func startAndTell(_ redis: PrivateRedis) async throws -> Bool {
        var mended: [String] = []
        let result: Result<Bool, any Error>
        do { result = .success(try await redis.start { mended.append($0) }) } catch { result = .failure(error) }
        for words in mended { await controller.tell(.storeMended, words, severity: .critical) }
        return try result.get()
    }

    /// Starts the private Redis again whenever it has died.
    func superviseRedis() async {
        guard let privateRedis else { return }
        var (pause, told) = (1.0, "")
        while !Task.isCancelled {
            do {
                if try await startAndTell(privateRedis) { log.warning("the private Redis had ended; started it again") }
                (pause, told) = (1, "")
            } catch  where !Task.isCancelled {
                // What needs a human is said once, and tried more seldom.
                if told != "\(error)" { log.error("the private Redis can't be started", ["error": "\(error)"]) }
                (pause, told) = (min(30, pause * 2), "\(error)")
            } catch {}
            try? await Task.sleep(for: .seconds(pause))
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

    /// Tells of what this process has found by itself, as of what the loop has found.
    func tellConcerns(to audit: AuditLog) async {
        for await change in concerns.changes {
            switch change {
            case .noted(let text):
                log.warning(text)
                audit.record(AuditEntry(.system, "store", details: text))
            case .raised(let alert):
                await controller.tell(
                    .alertRaised, "alert \(alert.subject): \(alert.message); \(alert.remedy)", severity: alert.severity)
            case .cleared(let alert): await controller.tell(.alertCleared, "alert \(alert.subject) is over")
            }
        }
    }

    func close() async {
        client.close()
        await redis.close()
        await leaseRedis.close()
        await events.tail.close()
    }
}
