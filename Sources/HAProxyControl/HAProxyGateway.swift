package import Model
package import Planning
package import Platform
import Glibc

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
    let stats: RuntimeSocket
    let master: RuntimeSocket
    /// The same, for questions that are answered at once by whoever is well.
    let quickStats: RuntimeSocket
    let quickMaster: RuntimeSocket
    /// An actor lets a second publishing in at every `await`, in the middle of the first.
    let mutex = AsyncMutex()
    /// The text of each file that was written last.
    private(set) var written: [String: String]?
    private(set) var lastLayout: GatewayLayout?
    /// How often it ran something else than it had been given, and was put right.
    package private(set) var repairs = 0
    /// Digest of each source certificate that was looked at last.
    var seenCertificates: [String: String] = [:]
    /// Whose the connections in old workers are, by the client's address and port: a worker that stops forgets it.
    var oldOwners: [String: String] = [:]
    /// Sources of many wrong passwords, as the newest worker counted last.
    nonisolated let guesses = Guesses()
    /// True when the newest worker knows of no connections in others, so that it need not be told so.
    var nobodyIsElsewhere = false
    /// Since when HAProxy has not answered as it should; nil where it has answered last.
    var deafSince: ContinuousClock.Instant?
    /// Processes that were stopped and told to go on since then.
    var letGo: Set<pid_t> = []
    /// True where processes of an HAProxy that was replaced may live.
    var hasRemains = true
    var folder: String { settings.runDirectory }
    var file: String { "\(folder)/haproxy.cfg" }

    /// - Parameters:
    ///   - share: the project's `haproxy` folder, with the template and the Lua code.
    ///   - ownAddresses: asked at each look; nobody may reach these through the gateway.
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
        configuration = HAProxyConfiguration(template: try Files.read("\(share)/haproxy.cfg.template"), settings: settings)
        codeDigest = Digest.sha256(try Self.code.map { try Files.read("\(settings.luaFolder)/\($0).lua") }.joined())
        stats = RuntimeSocket(path: settings.statsSocket)
        master = RuntimeSocket(path: "\(settings.runDirectory)/master.sock")
        quickStats = RuntimeSocket(path: settings.statsSocket, deadline: 0.6)
        quickMaster = RuntimeSocket(path: "\(settings.runDirectory)/master.sock", deadline: 0.6)
    }

    private static let code = ["sallyport", "pending", "addresses", "users", "targets", "routing", "socks5", "checkpage", "refusals"]

    // MARK: - What it runs

    /// Every slot with its address, state and connections, those of workers that finish after a reload included.
    package func observe() async throws -> GatewayObservation {
        try await observe(refused: refusedNetworks, secrets: secretsMap(of: lastLayout))
    }

    private func observe(refused networks: [String], secrets: GatewayMap) async throws -> GatewayObservation {
        resumeStopped()
        let begin = ContinuousClock.now
        async let state = quickStats.send("show servers state")
        let finishing = await oldWorkers()
        var slots: [GatewayObservation.Slot]
        do { slots = RuntimeAnswers.slots(try await state) } catch {
            deafSince = deafSince ?? begin
            throw error
        }
        let table = try await stats.send("show stat -1 5 -1")
        var traffic = RuntimeAnswers.traffic(table)
        for pid in finishing ?? [] {
            // It may end between the two questions.
            guard let text = try? await master.send("@!\(pid) show stat -1 4 -1") else { continue }
            traffic.merge(RuntimeAnswers.traffic(text), uniquingKeysWith: +)
        }
        for index in slots.indices {
            guard let seen = traffic["\(slots[index].backend)/\(slots[index].slot.name)"] else { continue }
            slots[index].sessions = seen.sessions
            slots[index].received = seen.received
            slots[index].errors = seen.errors
        }
        var maps: [String: [String: String]] = [:]
        let refused = GatewayMap.refused(networks)
        for name in GatewayLayout().maps.map(\.name) + [refused.name] {
            maps[name] = RuntimeAnswers.map(try await stats.send("show map \(folder)/\(name)"))
        }
        let hasSecrets = RuntimeAnswers.map(try await stats.send("show map \(folder)/\(secrets.name)")) == secrets.entries
        let isOurs = RuntimeFacts(table: table, info: try await stats.send("show info")).agree(with: settings)
        let isReachable = (finishing != nil || !settings.isStartedByUs) && socketsAreThere
        if isReachable { (deafSince, letGo) = (nil, []) }
        return GatewayObservation(
            slots: slots, maps: maps,
            restAgrees: fileAgrees && maps[refused.name] == refused.entries && hasSecrets && isOurs && isReachable)
    }

    /// The pids of workers that finish after a reload; nil where the master does not answer.
    private func oldWorkers() async -> [Int]? {
        let begin = ContinuousClock.now
        guard let text = try? await quickMaster.send("show proc") else {
            deafSince = deafSince ?? begin
            return nil
        }
        return RuntimeAnswers.processes(text).oldWorkers
    }

    private var refusedNetworks: [String] { settings.refusedNetworks + ownAddresses() }

    private func revision(of layout: GatewayLayout) -> String {
        String(Digest.sha256(codeDigest + configuration.structure(of: layout)).prefix(12))
    }

    /// True unless somebody has changed what we wrote last: the file, or a map's.
    private var fileAgrees: Bool {
        guard let written else { return true }
        guard missingCertificates.isEmpty else { return false }
        return written.allSatisfy { path, text in (try? Files.read(path, limit: 64 << 20)) == text }
    }

    // MARK: - Making it so

    /// Makes HAProxy equal to the layout: by the runtime API where that can, by a reload where the structure differs, by a
    /// start where it does not run. Returns when it has been read back.
    package func publish(_ layout: GatewayLayout) async throws { try await mutex.withLock { try await make(layout) } }

    func make(_ wanted: GatewayLayout, isRepair: Bool = true) async throws {
        var layout = wanted
        // Networks come and go with the exits' bridges and the machine's own links: what counts is what there is now.
        layout.refused = refusedNetworks
        await sweep()
        if seenCertificates.isEmpty || !missingCertificates.isEmpty { await takeCertificates() }
        if isRepair, layout == lastLayout {
            repairs += 1
            Metrics.gatewayRepairs.add(1)
            log.warning("the gateway differed from its configuration", ["repairs": "\(repairs)"])
        }
        let standing = try await standing()
        var isLoaded = standing == .answers(revision: revision(of: layout))
        if !isLoaded {
            if standing == .hangs { try await endHanging() }
            try await leaveOutHeldPorts(layout, isServing: standing.isServing)
            isLoaded = standing == .answers(revision: revision(of: layout))
        }
        let revision = revision(of: layout)
        let text = configuration.text(of: layout, revision: revision)
        let maps = [secretsMap(of: layout)] + layout.maps
        if isLoaded {
            // What takes connections comes in before the maps lead to it, and goes out after they don't any more.
            try await adjustSlots(layout, only: .ready)
            for map in maps { try await adjust(map) }
            try write(maps)
            try warrant()
            try Files.write(text, to: file, mode: 0o600)
        } else {
            try Files.makePrivateFolder(folder)
            try write(maps)
            try await check(text)
            // The last good file comes back when the new one is refused after all.
            let lastGood = try? Files.read(file, limit: 16 << 20)
            try warrant()
            try Files.write(text, to: file, mode: 0o600)
            do { try await load(revision, as: standing) } catch {
                if let lastGood { try? Files.write(lastGood, to: file, mode: 0o600) }
                throw error
            }
            hasRemains = true
        }
        try await adjustSlots(layout)
        await cutStale(layout)
        written = Dictionary(maps.map { ("\(folder)/\($0.name)", $0.text) } + [(file, text)], uniquingKeysWith: { $1 })
        lastLayout = layout
        guard try await differs(layout, maps[0]) else { return }
        if isLoaded {
            // A frontend that was shut, a server more, a limit: what can't be told, a reload mends.
            try await load(revision, as: .answers(revision: nil), isUrgent: true)
            try await adjustSlots(layout)
        }
        guard try await differs(layout, maps[0]) else { return }
        throw HAProxyError(code: .disagrees, action: "publishing to HAProxy", message: "its running state differs from its configuration")
    }

    /// An address of this machine that has come or gone meanwhile is the next look's.
    private func differs(_ layout: GatewayLayout, _ secrets: GatewayMap) async throws -> Bool {
        layout.differs(from: try await observe(refused: layout.refused ?? [], secrets: secrets))
    }
}
