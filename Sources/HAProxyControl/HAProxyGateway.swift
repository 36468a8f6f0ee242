package import Model
package import Planning
package import Platform

/// The gateway as an HAProxy in master-worker mode of our own, which outlives us and is found again by its sockets.
///
/// A change of slots or users goes through the runtime API, is read back, and is written to the file as well, so that a
/// reload at any moment changes nothing. Only a change of structure (a pool more or less) reloads.
package actor HAProxyGateway {
    let settings: HAProxyConfiguration.Settings
    var configuration: HAProxyConfiguration
    /// What the loaded Lua code is, so that a new version of it is a new structure.
    private let codeDigest: String
    /// What exits are shown; nil where none asks for anything.
    let credentials: ExitCredentials?
    let log: Log
    /// Asked right before each change; it throws where another controller may lead by now.
    let warrant: @Sendable () throws -> Void
    /// The addresses that this machine has at the moment.
    private let ownAddresses: @Sendable () -> [String]
    let sockets: RuntimeSockets
    /// Who may read what is written for HAProxy.
    package nonisolated let sharing: FileSharing
    /// An actor lets a second publishing in at every `await`, in the middle of the first.
    let mutex = AsyncMutex()
    var published: Published?
    /// How often it ran something else than it had been given, and was put right.
    package internal(set) var repairs = 0
    /// Digest of each source certificate that was looked at last.
    var seenCertificates: [String: String] = [:]
    /// Whose the connections in old workers are, by the client's address and port: a worker that stops forgets it.
    var oldOwners: [String: String] = [:]
    /// Sources of many wrong passwords, as the newest worker counted last.
    nonisolated let guesses = Guesses()
    /// True when the newest worker knows of no connections in others, so that it need not be told so.
    var nobodyIsElsewhere = false
    /// What was told of users' quotas last, by user, and when.
    var toldQuotas: (entries: [String: String], at: Timestamp)?
    /// The table of sessions as it was read last.
    var sessionTable: (text: String, at: ContinuousClock.Instant)?
    var silence = Silence()
    /// True where processes of an HAProxy that was replaced may live.
    var hasRemains = true
    var folder: String { settings.runDirectory }
    var file: String { "\(folder)/haproxy.cfg" }
    var lastLayout: GatewayLayout? { published?.layout }

    /// - Parameters:
    ///   - share: the project's `haproxy` folder, with the template and the Lua code.
    ///   - ownAddresses: asked at each look; nobody may reach these through the gateway.
    /// - Throws: `FileSharing.Refused` where nothing can be written for HAProxy's group; `FileError`.
    package init(
        share: String, settings: HAProxyConfiguration.Settings, credentials: ExitCredentials? = nil, log: Log,
        warrant: @escaping @Sendable () throws -> Void = {},
        ownAddresses: @escaping @Sendable () -> [String] = Ports.localAddresses
    ) throws {
        self.ownAddresses = ownAddresses
        self.settings = settings
        self.credentials = credentials
        self.log = log
        self.warrant = warrant
        sharing = try FileSharing(group: settings.group)
        configuration = HAProxyConfiguration(template: try Files.read("\(share)/haproxy.cfg.template"), settings: settings)
        codeDigest = Digest.sha256(try Self.code.map { try Files.read("\(settings.luaFolder)/\($0).lua") }.joined())
        sockets = RuntimeSockets(settings)
    }

    private static let code = [
        "sallyport", "pending", "addresses", "users", "targets", "routing", "counters", "demands", "preparing", "socks5", "checkpage",
        "refusals", "status",
        "guesses", "parameters",
    ]

    // MARK: - What it runs

    /// Every slot with its address, state and connections, those of workers that finish after a reload included.
    package func observe() async throws -> GatewayObservation {
        try await observe(refused: refusedNetworks, secrets: secretsMap(of: lastLayout))
    }

    func observe(refused networks: [String], secrets: GatewayMap) async throws -> GatewayObservation {
        resumeStopped()
        let begin = ContinuousClock.now
        async let state = sockets.quickStats.send("show servers state")
        let finishing = await oldWorkers()
        let servers: String
        do { servers = try await state } catch {
            silence.begin(at: begin)
            throw error
        }
        let (slots, tunnels) = (RuntimeAnswers.slots(servers), RuntimeAnswers.tunnels(servers))
        let tunnelsAgree = slots.allSatisfy { tunnels["\($0.backend)/\($0.slot.name)"] == $0.slot.endpoint }
        let table = try await sockets.stats.send("show stat -1 5 -1")
        let counted = await Self.add(traffic(table, finishing ?? []), to: slots)
        let refused = GatewayMap.refused(networks)
        let maps = try await runningMaps(GatewayLayout().maps.map(\.name) + [refused.name])
        let hasSecrets = try await runningMap(secrets.name) == secrets.entries
        let isOurs = RuntimeFacts(table: table, info: try await sockets.stats.send("show info")).agree(with: settings)
        let isReachable = (finishing != nil || !settings.isStartedByUs) && socketsAreThere
        if isReachable { silence = Silence() }
        return GatewayObservation(
            slots: counted, maps: maps,
            restAgrees: fileAgrees && maps[refused.name] == refused.entries && hasSecrets && isOurs && isReachable && tunnelsAgree)
    }

    /// What each slot has carried, by the newest worker's table and those of workers that finish.
    private func traffic(_ table: String, _ finishing: [Int]) async -> [String: RuntimeAnswers.Traffic] {
        var traffic = RuntimeAnswers.traffic(table)
        for pid in finishing {
            // It may end between the two questions.
            guard let text = try? await sockets.master.send("@!\(pid) show stat -1 4 -1") else { continue }
            traffic.merge(RuntimeAnswers.traffic(text), uniquingKeysWith: +)
        }
        return traffic
    }

    private static func add(_ traffic: [String: RuntimeAnswers.Traffic], to slots: [GatewayObservation.Slot]) -> [GatewayObservation.Slot] {
        slots.map { slot in
            guard let seen = traffic["\(slot.backend)/\(slot.slot.name)"] else { return slot }
            var slot = slot
            (slot.sessions, slot.received, slot.errors) = (seen.sessions, seen.received, seen.errors)
            return slot
        }
    }

    private func runningMaps(_ names: [String]) async throws -> [String: [String: String]] {
        var maps: [String: [String: String]] = [:]
        for name in names { maps[name] = try await runningMap(name) }
        return maps
    }

    func runningMap(_ name: String) async throws -> [String: String] {
        RuntimeAnswers.map(try await sockets.stats.send("show map \(folder)/\(name)"))
    }

    /// The pids of workers that finish after a reload; nil where the master does not answer.
    private func oldWorkers() async -> [Int]? {
        let begin = ContinuousClock.now
        guard let text = try? await sockets.quickMaster.send("show proc") else {
            silence.begin(at: begin)
            return nil
        }
        return RuntimeAnswers.processes(text).oldWorkers
    }

    var refusedNetworks: [String] { settings.refusedNetworks + ownAddresses() }

    func revision(of layout: GatewayLayout) -> String {
        String(Digest.sha256(codeDigest + configuration.structure(of: layout)).prefix(12))
    }

    /// True unless somebody has changed what we wrote last: the file, or a map's.
    private var fileAgrees: Bool {
        guard let files = published?.files else { return true }
        guard missingCertificates.isEmpty else { return false }
        return files.allSatisfy { path, text in (try? Files.read(path, limit: 64 << 20)) == text }
    }
}
