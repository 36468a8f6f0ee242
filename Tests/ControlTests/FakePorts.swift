import Control
import Model
import Planning
import Platform

/// What an engine says that doesn't get rid of a container.
struct Refusal: Error, CustomStringConvertible {
    var description: String { "device or resource busy" }
}

/// One controller's line to the world: all of its parts at once.
struct FakePorts: ExitEngine, Gateway, StateStore, ServerCatalog, TunnelKeys, ExitProber, ServerHandshakes {
    let world: FakeWorld
    let lifeline: Lifeline
    var leadership = Leadership.alone
    /// Closed while the controller's process is stopped.
    var gate = Gate()

    /// What adapters do right before a change: wait, maybe for long, and then ask whether they still may.
    private func act(_ words: String) async throws {
        try await gate.pass()
        try leadership.warrant()
        let instance = leadership.settings.instance
        world.with { $0.acts.append((instance, words)) }
    }

    private func call<Value: Sendable>(
        _ part: FakeWorld.Outside, _ body: (inout sending FakeWorld.State) throws -> sending Value
    ) throws -> Value {
        try lifeline.carry {
            let result: Result<Value, any Error> = world.with { state in
                guard !state.away.contains(part) else { return .failure(Away()) }
                do { return .success(try body(&state)) } catch { return .failure(error) }
            }
            return try result.get()
        }
    }

    // MARK: - ExitEngine

    func list() async throws -> [ExitContainer] {
        world.with { $0.lists += 1 }
        try await gate.pass()
        try await answering()
        let (containers, milliseconds) = try call(.engine) { (Array($0.containers.values), $0.listMilliseconds) }
        if milliseconds > 0 { try await world.time.sleep(seconds: Double(milliseconds) / 1000) }
        return containers
    }

    func addressSpace() async throws -> AddressSpace {
        try await answering()
        return try call(.engine) { state in
            let taken = state.containers.values.filter(\.isRunning).compactMap { $0.endpoint.flatMap { IPv4Address($0.address) } }
            return AddressSpace(network: state.network, taken: Set(taken), name: "fake")
        }
    }

    /// Waits for as long as the engine hangs.
    private func answering() async throws { while world.with({ $0.engineHangs }) { try await world.time.sleep(seconds: 0.005) } }

    /// Like the real one: a container of that name, left behind by a dead controller, is made anew.
    func launch(_ specification: ExitSpecification) async throws -> (container: String, endpoint: Endpoint) {
        try await act("launch \(specification.id)")
        try await answering()
        let milliseconds = world.with { $0.launchMilliseconds }
        if milliseconds > 0 { try await world.time.sleep(seconds: Double(milliseconds) / 1000) }
        let fence = leadership.fence
        let made: (container: String, endpoint: Endpoint)
        do {
            made = try call(.engine) { state in
                if !state.launchFailures.isEmpty { throw state.launchFailures.removeFirst() }
                state.launches.append(specification)
                if let address = specification.address, state.foreignAddresses.contains(address) { throw AddressInUse() }
                let name = "\(specification.id)-g\(specification.generation)"
                let endpoint = Endpoint(address: specification.address ?? "", port: 3128)
                state.containers[name] = ExitContainer(
                    name: name, exit: specification.id, generation: specification.generation, isRunning: true, endpoint: endpoint,
                    exitCode: nil, fence: fence)
                state.serverOfEndpoint[endpoint] = specification.server
                return (name, endpoint)
            }
        } catch is Away {
            throw ExitFailure(reason: .engineUnavailable, detail: "nobody answers")
        }
        world.tellListeners()
        return made
    }

    func remove(_ container: String) async throws {
        try await act("remove \(container)")
        try await answering()
        try call(.engine) { state in
            if state.resisting.contains(container) { throw Refusal() }
            state.containers[container] = nil
            state.removals.append(container)
        }
        world.tellListeners()
    }

    func tunnel(of container: String) async throws -> TunnelReading {
        try await answering()
        return try call(.engine) { state in
            state.programs.append(container)
            return try state.reading(of: state.containers[container]?.endpoint, at: world.time.now())
        }
    }

    func status(of exit: ExitProxy) async throws -> ExitReport? {
        try call(.prober) { state in
            state.statuses += 1
            var status = try state.statusAnswer.get()
            status?.tunnel = try state.reading(of: exit.endpoint, at: world.time.now())
            return status
        }
    }

    func examine(_ exit: ExitProxy, isUrgent: Bool) async -> Examination {
        let found = try? call(.prober) { state in
            state.deepProbes += 1
            state.urgentProbes += isUrgent ? 1 : 0
            var found = Examination(reason: (try? server(of: exit.endpoint, state)).flatMap { state.faults[$0.hostname] })
            (found.isCompared, found.isPlaced, found.problem) = (state.comparing, state.comparing, state.comparing ? nil : "status 429")
            return found
        }
        return found ?? Examination()
    }

    func ask(_ canary: Canary, through exit: ExitProxy) async -> CanaryOutcome {
        let outcome = try? call(.prober) { state -> CanaryOutcome in
            state.canaryQuestions += 1
            guard let server = try? server(of: exit.endpoint, state) else { return .unknown }
            return state.canaryBlocked[canary.name]?.contains(server.hostname) ?? false ? .blocked("status 403") : .passed
        }
        return outcome ?? .unknown
    }

    func logs(of container: String, lines: Int) async throws -> String { try call(.engine) { _ in "exit: up\n" } }

    func changes() async throws -> AsyncThrowingStream<Void, any Error> {
        try call(.engine) { state in
            let (stream, continuation) = AsyncThrowingStream<Void, any Error>.makeStream()
            state.nextNumber += 1
            state.followings += 1
            state.listeners[state.nextNumber] = continuation
            return stream
        }
    }

    // MARK: - Gateway

    func observe() async throws -> GatewayObservation {
        try call(.gateway) { state in
            GatewayObservation(
                slots: (state.published?.pools ?? []).flatMap { pool in
                    pool.slots.map { slot in
                        var shown = slot
                        if slot.endpoint == nil { shown.endpoint = Endpoint(address: "127.0.0.1", port: 1) }
                        return .init(
                            backend: pool.backendName, slot: shown, sessions: slot.endpoint == nil ? 0 : state.sessions,
                            errors: slot.endpoint == nil ? 0 : state.gatewayErrors)
                    }
                })
        }
    }

    func reach() async -> GatewayReach {
        world.with { state in
            let slots = (state.published?.pools ?? []).flatMap(\.slots)
            let addresses = slots.compactMap { $0.endpoint.flatMap { IPv4Address($0.address) } } + state.staleAddresses
            return GatewayReach(addresses: Set(addresses), isWhole: !state.away.contains(.gateway) && !state.gatewayHides)
        }
    }

    func publish(_ layout: GatewayLayout) async throws {
        try await act("publish")
        while world.with({ $0.gatewayHangs }) { try await world.time.sleep(seconds: 0.005) }
        let milliseconds = world.with { $0.publishMilliseconds }
        if milliseconds > 0 { try await world.time.sleep(seconds: Double(milliseconds) / 1000) }
        try call(.gateway) { $0.published = layout }
    }

    // MARK: - StateStore

    /// - Parameter isChange: it changes what followers show.
    private func store(isChange: Bool = true, _ body: @escaping @Sendable (inout FakeWorld.State) -> Void) async throws {
        try await gate.pass()
        let milliseconds = world.with { $0.storeMilliseconds }
        if milliseconds > 0 { try await world.time.sleep(seconds: Double(milliseconds) / 1000) }
        let fence = leadership.isAlone ? nil : leadership.fence
        let isFenced = try call(.store) { state in
            if let fence, fence != state.fence { return true }
            body(&state)
            if isChange { state.version += 1 }
            return false
        }
        if isFenced { throw NotLeader() }
    }

    func tryToWrite() async throws { try await store { _ in } }
    func load() async throws -> StoredState { try call(.store) { $0.stored } }
    func save(_ pool: Pool) async throws { try await store { $0.stored.pools[pool.country] = pool } }
    func removePool(_ country: CountryCode) async throws { try await store { $0.stored.pools[country] = nil } }
    func removeUser(_ name: String) async throws { try await store { $0.stored.users.removeAll { $0.name == name } } }
    func append(_ samples: [(exit: ExitID, sample: HealthSample)]) async throws {
        try await store(isChange: false) { state in for (exit, sample) in samples { state.health[exit, default: []].append(sample.verdict) }
        }
    }
    func save(_ health: [ExitID: Health]) async throws { try await store(isChange: false) { $0.shownHealth = health } }
    func health() async throws -> [ExitID: Health] { try call(.store) { $0.shownHealth } }
    func append(_ events: [Event]) async throws { try await store { $0.events += events } }
    func history(of exit: ExitID, limit: Int) async throws -> [HealthSample] { [] }
    func blocked(among users: [ProxyUser]) async throws -> [String: Quota] {
        try call(.store) { state in state.stored.blocked.filter { entry in users.contains { $0.name == entry.key } } }
    }
    func save(breakers: [BreakerKey: Breaker?]) async throws {
        try await store { state in for (name, breaker) in breakers { state.stored.breakers[name] = breaker } }
    }
    func save(alerts: [Alert], cleared: [AlertSubject]) async throws {
        try await store { state in
            state.stored.alerts.removeAll { alert in cleared.contains(alert.subject) || alerts.contains { $0.subject == alert.subject } }
            state.stored.alerts += alerts
        }
    }

    func save(addresses: [IPv4Address: HeldAddress?]) async throws {
        try await store { state in for (address, holder) in addresses { state.stored.addresses[address] = holder } }
    }

    func save(_ exits: [Exit], removed: [ExitID]) async throws {
        try await store { state in
            for exit in exits { state.stored.exits[exit.id] = exit }
            for id in removed { state.stored.exits[id] = nil }
        }
    }

    func save(_ user: ProxyUser) async throws {
        try await store { state in
            state.stored.users.removeAll { $0.name == user.name }
            state.stored.users.append(user)
        }
    }

    // MARK: - ServerCatalog, TunnelKeys

    func ranked(for pool: Pool) async throws -> [RankedServer] {
        try call(.catalog) { state in
            let servers = state.servers.filter { $0.country == pool.country && (pool.city == nil || $0.city == pool.city) }
            return ServerRanking.byItself(servers, strategy: pool.strategy)
        }
    }

    var providers: [ProviderName] { [.nordvpn] }
    var keyNames: [ProviderAccount: String] { world.with { $0.keyNames } }
    func resolvers(of server: Server) -> [String] { ["103.86.96.100"] }
    func access(to server: Server) async throws -> TunnelAccess {
        let facts = TunnelFacts(clientAddress: "10.5.0.2/32", dns: resolvers(of: server), mtu: 1380, keepalive: 25)
        return TunnelAccess(facts: facts, privateKey: Secret("the key"), keyName: keyNames[server.holder])
    }

    // MARK: - ServerHandshakes

    func accepted(by servers: [Server]) async -> Set<String>? {
        world.with { state in
            state.asked.append(servers.map(\.hostname))
            guard state.handshakesArrive else { return [] }
            return Set(servers.filter { !state.isSilent($0) }.map(\.hostname))
        }
    }

    func reachable(_ servers: [Server]) async -> Set<String> {
        world.with { state in Set(servers.map(\.hostname).filter { !state.unreachable.contains($0) }) }
    }

    func sample(of provider: ProviderName, limit: Int) async -> [Server] {
        world.with { state in Array(state.servers.filter { $0.provider == provider }.prefix(limit)) }
    }

    // MARK: - ExitProber

    private func server(of endpoint: Endpoint, _ state: FakeWorld.State) throws -> Server {
        guard state.containers.values.contains(where: { $0.endpoint == endpoint && $0.isRunning }),
            let server = state.serverOfEndpoint[endpoint]
        else { throw ExitFailure(reason: .proxyDown, detail: "nobody listens", isNotYet: true) }
        guard !state.isSilent(server) else {
            throw ExitFailure(reason: .blackhole, detail: "no answer through the tunnel", isServersFault: true)
        }
        return server
    }

    func verify(_ exit: ExitProxy) async throws -> Sighting {
        try call(.prober) { state in
            let server = try server(of: exit.endpoint, state)
            return Sighting(address: server.address, country: state.misplaced[server.hostname] ?? server.country, latencyMilliseconds: 2)
        }
    }

    func hostIsOnline() async -> Bool { world.with { !$0.away.contains(.internet) } }

    func probe(_ exit: ExitProxy, resolver: String) async throws -> Double {
        try call(.prober) { state in
            state.probes += 1
            if state.away.contains(.sockets) { throw ExitFailure(reason: .unknown, detail: "no socket is to be had", isOurs: true) }
            _ = try server(of: exit.endpoint, state)
            if state.strangers.contains(exit.endpoint) { throw ExitFailure(reason: .wrongProxy, detail: "it is another one") }
            return state.probeMilliseconds
        }
    }
}
