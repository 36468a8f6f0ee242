import Catalog
import DockerEngine
import Glibc
import HAProxyControl
import HTTPServing
import HTTPTransport
import Latency
import Model
import Platform
import Providers
import RedisStore

/// Looks at all that a controller of this configuration needs, whether one runs or not. It changes nothing.
struct Doctor: Sendable {
    let configuration: Configuration
    let client: HTTPClient
    /// The process of the controller that runs on our `data_dir`; nil where none does.
    let controller: pid_t?
    /// Asked once, by whoever needs it.
    let exits: Task<ExitsFacts, Never>
    let store: Task<StoredFacts, Never>
    let reach: [ProviderName: Task<ReachFacts, Never>]

    init(_ configuration: Configuration, client: HTTPClient) {
        (self.configuration, self.client) = (configuration, client)
        controller = Self.controller(on: configuration.dataFolder)
        exits = Task { await ExitsFacts.read(configuration, client) }
        store = Task { await StoredFacts.read(configuration) }
        reach = configuration.providers.reduce(into: [:]) { asked, settings in
            asked[settings.provider.name] = Task { await ReachFacts.read(settings, client) }
        }
    }

    /// The lock says whether it lives, and its file who it is.
    private static func controller(on folder: String) -> pid_t? {
        guard Files.exists("\(folder)/lock"), let pid = (try? Files.read("\(folder)/pid")).flatMap({ pid_t($0.filter(\.isNumber)) }) else {
            return nil
        }
        do { return try FolderLock("\(folder)/lock", pause: {}) == nil ? pid : nil } catch { return kill(pid, 0) == 0 ? pid : nil }
    }

    // MARK: - The checks

    /// In the order in which they are shown.
    var checks: [Check] { engineChecks + kernelChecks + machineChecks + partChecks + providerChecks }

    private var engineChecks: [Check] {
        [
            Check(name: "controller") { [controller, configuration] in
                .pass(controller.map { "process \($0) runs on \(configuration.dataFolder)" } ?? "none runs on \(configuration.dataFolder)")
            },
            Check(name: "engine", seconds: 12) { [exits] in await exits.value.engine.judgement },
            Check(name: "exit image", seconds: 12) { [exits] in await exits.value.engine.imageJudgement },
        ]
    }

    private var kernelChecks: [Check] {
        let facts = Task { (try? await Blocking.run { KernelFacts.read() }) ?? KernelFacts() }
        let wantsIPv6 = configuration.providers.contains { $0.accounts.contains { $0.facts.clientAddress6 != nil } }
        let hasHAProxy = configuration.gateway.isStartedByUs
        return [
            Check(name: "tunnel") { await facts.value.tunnel }, Check(name: "firewall") { await facts.value.firewall },
            Check(name: "ipv6") { await facts.value.ipv6(isWanted: wantsIPv6) }, Check(name: "br_netfilter") { await facts.value.bridge },
            Check(name: "tcp_tw_reuse") { await facts.value.portReuse(isOurs: hasHAProxy) },
        ]
    }

    private var machineChecks: [Check] {
        let folder = Task { [path = configuration.dataFolder] in await Self.folder("data_dir", path) }
        let gateway = configuration.gateway
        let descriptors = DescriptorFacts(
            limit: DescriptorLimit.hard, clients: gateway.isStartedByUs ? gateway.clientLimit : nil,
            connections: Int(configuration.api.limits.connections))
        var checks = [
            Check(name: "ports", seconds: 10) { [self] in await ports() }, Check(name: "descriptors") { descriptors.judgement },
            Check(name: "disk") { await folder.value.space }, Check(name: "data folder") { await folder.value.judgement },
        ]
        // Below the data folder it is looked at already.
        if !gateway.directory.hasPrefix(configuration.dataFolder + "/") {
            checks.append(Check(name: "gateway folder") { await Self.folder("gateway.directory", gateway.directory).judgement })
        }
        return checks
    }

    private static func folder(_ setting: String, _ path: String) async -> FolderFacts {
        (try? await Blocking.run { FolderFacts.read(setting, path) }) ?? FolderFacts(setting: setting, path: path, base: path)
    }

    private func ports() async -> Judgement {
        let gatewayIsThere = await (try? gateway())?.isThere() ?? false
        let (settings, controller) = (configuration, controller)
        let facts = try? await Blocking.run { () -> [PortFacts] in
            let own = settings.ownPorts.map { port in
                PortFacts(
                    port.user, port.setting, port.endpoint.address, port.endpoint.port,
                    isOurs: controller.map { pid in Ports.holder(of: port.endpoint.port).map { $0.pid == pid } ?? true } ?? false)
            }
            guard settings.gateway.isStartedByUs else { return own }
            return own
                + settings.gatewayPorts.map { port in
                    PortFacts("the gateway", port.setting, settings.gateway.address, port.port, isOurs: gatewayIsThere)
                }
        }
        return PortFacts.judge(facts ?? [])
    }

    private func gateway() throws -> HAProxyGateway {
        try HAProxyGateway(share: "\(configuration.shareFolder)/haproxy", settings: configuration.haproxySettings, log: .none)
    }

    private var partChecks: [Check] {
        let programs = Task {
            var facts = ProgramFacts(isElsewhere: !configuration.gateway.isStartedByUs)
            async let isThere = (try? gateway())?.isThere() ?? false
            async let version = try? Programs.run("haproxy", ["-vv"], deadline: 4)
            async let echo = Self.fpingTrouble()
            (facts.answers, facts.haproxy, facts.fpingTrouble) = await (isThere, version.flatMap { $0.status == 0 ? $0.output : nil }, echo)
            return facts
        }
        return [
            Check(name: "redis") { [store] in await store.value.redis.judgement },
            Check(name: "haproxy") { await programs.value.gateway }, Check(name: "fping") { await programs.value.echo },
        ]
    }

    private static func fpingTrouble() async -> String? {
        do { return try await Fping().measure(["127.0.0.1"]).isEmpty ? "its echoes don't come back" : nil } catch {
            return (error as? ProgramError)?.message ?? "\(error)"
        }
    }

    private var providerChecks: [Check] {
        let reach = reach
        let names = configuration.providers.map(\.provider.name)
        let ahead = Check(name: "clock", seconds: 12) {
            var facts = ClockFacts()
            for name in names { facts.ahead[name.rawValue] = await reach[name]?.value.ahead }
            return facts.judgement
        }
        let hosts = Set(configuration.providers.compactMap { ReachFacts.hostName(of: $0.apiURL) })
        let dns = Check(name: "dns", seconds: 12) {
            let found = await NameResolver.addresses(of: Array(hosts))
            return NameFacts(asked: Array(hosts), unresolved: hosts.filter { found[$0] == nil }).judgement
        }
        let providers = names.map { name in
            Check(name: "provider \(name)", seconds: 12) { await reach[name]?.value.judgement ?? .pass("not asked") }
        }
        let keys = KeyCheck(self)
        return [ahead, dns] + providers
            + keys.accounts.map { account in
                Check(name: "key \(account)", seconds: 60) { await keys.facts(of: account).judgement }
            }
    }
}

/// The engine and the exits' containers.
struct ExitsFacts: Sendable {
    var engine: EngineFacts
    /// The addresses of the servers to which containers of ours lead; nil where nobody says.
    var held: Set<String>?

    static func read(_ configuration: Configuration, _ client: HTTPClient) async -> ExitsFacts {
        let docker = configuration.docker
        var facts = EngineFacts(
            socket: EngineClient.socketPath(docker.host) ?? docker.host, image: docker.image, archive: docker.imageArchive)
        facts.hasArchive = docker.imageArchive.map(Files.exists) ?? false
        do {
            let engine = try EngineClient(address: docker.host, client: client)
            if let trouble = engine.socketTrouble {
                (facts.trouble, facts.remedy) = trouble
                return ExitsFacts(engine: facts)
            }
            let containers = try configuration.exitContainers(client: client, log: .none)
            (facts.version, facts.software) = (try await engine.version(), try await engine.software())
            facts.hasImage = try await containers.hasImage()
            return ExitsFacts(engine: facts, held: Set(try await containers.list().compactMap(\.server)))
        } catch {
            facts.trouble = (error as? EngineError)?.message ?? "\(error)"
            return ExitsFacts(engine: facts)
        }
    }
}

/// Redis, and what is stored of exits and lists.
struct StoredFacts: Sendable {
    var redis: RedisFacts
    /// The addresses of the servers that stored exits hold.
    var held: Set<String> = []
    /// Nil where nobody answers.
    var store: Store?

    static func read(_ configuration: Configuration) async -> StoredFacts {
        var facts = RedisFacts(address: "\(configuration.redisAddress)", isPrivate: configuration.redis == nil)
        if facts.isPrivate {
            let words = try? await Programs.run("redis-server", ["--version"], deadline: 4).output.split(separator: " ")
            facts.program = words?.first { $0.hasPrefix("v=") }.map { String($0.dropFirst(2)) }
        }
        let store = Store(connection: RedisConnection(address: configuration.redisAddress), prefix: configuration.redisPrefix)
        do {
            facts = try await facts.asked(of: store)
            guard facts.foreignFormat == nil else { return StoredFacts(redis: facts) }
            let exits = (try? await store.load())?.exits.values.compactMap { $0.server?.address }
            return StoredFacts(redis: facts, held: Set(exits ?? []), store: store)
        } catch {
            facts.trouble = (error as? RedisError)?.message ?? "\(error)"
            return StoredFacts(redis: facts)
        }
    }
}

extension RedisFacts {
    /// With what the server itself says.
    func asked(of store: Store) async throws -> RedisFacts {
        var facts = self
        facts.version = try await store.serverVersion()
        (facts.evicts, facts.foreignFormat) = (try await store.evictionPolicy(), try await store.foreignFormat())
        return facts
    }
}

extension ReachFacts {
    static func read(_ settings: Configuration.ProviderSettings, _ client: HTTPClient) async -> ReachFacts {
        var facts = ReachFacts(provider: settings.provider.name.rawValue, url: settings.apiURL)
        var request = HTTPRequest("HEAD", settings.apiURL, headers: [("User-Agent", "sallyport")])
        request.authorityFile = settings.authorityFile
        request.deadline = 10
        do {
            let answer = try await client.send(request)
            facts.status = answer.status
            facts.ahead = answer.headers["date"].flatMap(HTTPDate.read).map { SystemClock.now() - $0 }
        } catch { facts.trouble = "\(error)" }
        return facts
    }

    /// Nil for an address.
    static func hostName(of url: String) -> String? {
        let rest = url.firstRange(of: "://").map { url[$0.upperBound...] } ?? url[...]
        let host = String(rest.prefix { !"/?#:".contains($0) })
        return host.isEmpty || host.hasPrefix("[") || Configuration.isIPv4(host) ? nil : host
    }
}
