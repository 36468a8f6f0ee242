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
    let log: Log
    /// Asked right before each change; it throws where another controller may lead by now.
    let warrant: @Sendable () throws -> Void
    /// The addresses that this machine has at the moment.
    private let ownAddresses: @Sendable () -> [String]
    let stats: RuntimeSocket
    let master: RuntimeSocket
    /// An actor lets a second publishing in at every `await`, in the middle of the first.
    let turns = Turnstile()
    /// The text of each file that was written last.
    private var written: [String: String]?
    private(set) var lastLayout: GatewayLayout?
    /// How often it ran something else than it had been given, and was put right.
    package private(set) var repairs = 0
    /// Digest of each source certificate that was looked at last.
    var seenCertificates: [String: String] = [:]
    /// Whose the connections in old workers are, by the client's address and port: a worker that stops forgets it.
    var oldOwners: [String: String] = [:]
    var folder: String { settings.runDirectory }
    private var file: String { "\(folder)/haproxy.cfg" }

    /// - Parameters:
    ///   - share: the project's `haproxy` folder, with the template and the Lua code.
    ///   - ownAddresses: asked at each look; nobody may reach these through the gateway.
    package init(
        share: String, settings: HAProxyConfiguration.Settings, log: Log, warrant: @escaping @Sendable () throws -> Void = {},
        ownAddresses: @escaping @Sendable () -> [String] = Ports.localAddresses
    ) throws {
        self.ownAddresses = ownAddresses
        self.settings = settings
        self.log = log
        self.warrant = warrant
        configuration = HAProxyConfiguration(template: try Files.read("\(share)/haproxy.cfg.template"), settings: settings)
        codeDigest = Digest.sha256(try Self.code.map { try Files.read("\(settings.luaFolder)/\($0).lua") }.joined())
        stats = RuntimeSocket(path: settings.statsSocket)
        master = RuntimeSocket(path: "\(settings.runDirectory)/master.sock")
    }

    private static let code = ["sallyport", "addresses", "users", "targets", "routing", "socks5", "checkpage"]

    // MARK: - What it runs

    /// Every slot with its address, state and connections, those of workers that finish after a reload included.
    package func observe() async throws -> GatewayObservation {
        var slots = RuntimeAnswers.slots(try await stats.send("show servers state"))
        var traffic = RuntimeAnswers.traffic(try await stats.send("show stat -1 4 -1"))
        for pid in RuntimeAnswers.processes(try await master.send("show proc")).oldWorkers {
            // It may end between the two questions.
            guard let text = try? await master.send("@!\(pid) show stat -1 4 -1") else { continue }
            traffic.merge(RuntimeAnswers.traffic(text), uniquingKeysWith: +)
        }
        for index in slots.indices {
            guard let seen = traffic["\(slots[index].backend)/\(slots[index].slot.name)"] else { continue }
            slots[index].sessions = seen.sessions
            slots[index].received = seen.received
        }
        var maps: [String: [String: String]] = [:]
        let refused = GatewayMap.refused(refusedNetworks)
        for name in GatewayLayout().maps.map(\.name) + [refused.name] {
            maps[name] = RuntimeAnswers.map(try await stats.send("show map \(folder)/\(name)"))
        }
        return GatewayObservation(slots: slots, maps: maps, fileAgrees: fileAgrees && maps[refused.name] == refused.entries)
    }

    private var refusedNetworks: [String] { settings.refusedNetworks + ownAddresses() }

    /// True unless somebody has changed what we wrote last: the file, or a map's.
    private var fileAgrees: Bool {
        guard let written else { return true }
        return written.allSatisfy { path, text in (try? Files.read(path, limit: 64 << 20)) == text }
    }

    // MARK: - Making it so

    /// Makes HAProxy equal to the layout: by the runtime API where that can, by a reload where the structure differs, by a
    /// start where it does not run. Returns when it has been read back.
    package func publish(_ layout: GatewayLayout) async throws { try await turns.pass { try await make(layout) } }

    func make(_ wanted: GatewayLayout, isRepair: Bool = true) async throws {
        var layout = wanted
        // Networks come and go with the exits' bridges and the machine's own links: what counts is what there is now.
        layout.refused = refusedNetworks
        if seenCertificates.isEmpty { await takeCertificates() }
        if isRepair, layout == lastLayout {
            repairs += 1
            log.warning("the gateway differed from what it was given", ["repairs": "\(repairs)"])
        }
        let revision = String(Digest.sha256(codeDigest + configuration.structure(of: layout)).prefix(12))
        let text = configuration.text(of: layout, revision: revision)
        // Asked of the master: a second HAProxy would take the first one's ports and sockets without a word.
        let running = await isRunning() ? try await runningRevision() : nil
        if running == revision {
            // What takes connections comes in before the maps lead to it, and goes out after they don't any more.
            try await adjustSlots(layout, only: .ready)
            for map in layout.maps { try await adjust(map) }
            try writeMaps(layout)
            try warrant()
            try Files.write(text, to: file, mode: 0o600)
        } else {
            try Files.makePrivateFolder(folder)
            try writeMaps(layout)
            try await check(text)
            // The last good file comes back when the new one is refused after all.
            let lastGood = try? Files.read(file, limit: 16 << 20)
            try warrant()
            try Files.write(text, to: file, mode: 0o600)
            do {
                if running == nil { try await start(revision) } else { try await reload(revision) }
            } catch {
                if let lastGood { try? Files.write(lastGood, to: file, mode: 0o600) }
                throw error
            }
            log.debug(running == nil ? "gateway started" : "gateway reloaded", ["revision": revision])
        }
        try await adjustSlots(layout)
        await cutStale(layout)
        written = Dictionary(layout.maps.map { ("\(folder)/\($0.name)", $0.text) } + [(file, text)], uniquingKeysWith: { $1 })
        lastLayout = layout
        if layout.differs(from: try await observe()) {
            throw HAProxyError(code: .disagrees, action: "publishing to HAProxy", message: "what it runs differs from what it was given")
        }
    }

    /// Ends HAProxy with all its connections. One that does not run is no error.
    package func stop() async throws { try await turns.pass { try await end() } }

    private func end() async throws {
        guard settings.isStartedByUs else { return }
        guard let pid = RuntimeAnswers.processes((try? await master.send("show proc")) ?? "").master else { return }
        kill(pid_t(pid), SIGTERM)
        for _ in 0..<250 {
            if (try? await master.send("show proc")) == nil { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw HAProxyError(code: .disagrees, action: "stopping HAProxy", message: "process \(pid) did not end within 5 s")
    }

    // MARK: - Process

    /// True when the master answers. One that lives and refuses is asked again for up to 5 s: after a reload it runs itself anew
    /// once more, some time after its new worker is up, and its socket is deaf meanwhile.
    package func isRunning() async -> Bool {
        let end = ContinuousClock.now + .seconds(5)
        while !(await masterAnswers()) {
            guard livingMaster() != nil, ContinuousClock.now < end, !Task.isCancelled else { return false }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return true
    }

    private func masterAnswers() async -> Bool { (try? await master.send("show proc")) != nil }

    /// The process id of the last HAProxy of this folder, if it lives, whether it answers or not.
    private func livingMaster() -> Substring? {
        guard let text = try? Files.read("\(folder)/haproxy.pid"), let pid = text.split(separator: "\n").first,
            let status = try? Files.read("/proc/\(pid)/stat"), status.contains("(haproxy)"), !status.contains("(haproxy) Z")
        else { return nil }
        return pid
    }

    /// Refuses a start while the last HAProxy of this folder lives and only does not answer: a second one would take its
    /// ports and sockets, and nobody could reach the first any more.
    private func checkNothingLives() throws {
        guard let pid = livingMaster() else { return }
        throw HAProxyError(
            code: .unavailable, action: "talking to HAProxy on \(folder)/master.sock", message: "process \(pid) lives but does not answer")
    }

    private func runningRevision() async throws -> String? {
        RuntimeAnswers.info("description", in: try await stats.send("show info"))
    }

    private func check(_ text: String) async throws {
        let candidate = "\(folder)/haproxy.cfg.candidate"
        try Files.write(text, to: candidate, mode: 0o600)
        defer { Files.remove(candidate) }
        let result: Programs.Result
        do { result = try await Programs.run("haproxy", ["-c", "-f", candidate]) } catch let error as ProgramError {
            throw HAProxyError(code: .notInstalled, action: "checking the gateway's configuration", message: "\(error)")
        }
        guard result.status == 0 else {
            throw HAProxyError(
                code: .badConfiguration, action: "checking the gateway's configuration", message: String(result.output.prefix(1000)))
        }
    }

    private func start(_ revision: String) async throws {
        guard settings.isStartedByUs else { return try await settle(on: revision, action: "waiting for HAProxy to be started") }
        try checkNothingLives()
        try warrant()
        let result = try await Programs.run(
            "haproxy", ["-W", "-D", "-f", file, "-p", "\(folder)/haproxy.pid", "-S", "\(folder)/master.sock,mode,600"])
        guard result.status == 0 else {
            throw HAProxyError(code: .refused, action: "starting HAProxy", message: String(result.output.prefix(1000)))
        }
        try await settle(on: revision, action: "starting HAProxy")
    }

    private func reload(_ revision: String) async throws {
        await waitForSessions()
        await rememberOwners()
        try warrant()
        _ = try await master.send("reload")
        try await settle(on: revision, action: "reloading HAProxy")
    }

    /// A worker of a first start hands no sessions over in its first 5 s, in which it waits for ones from before. So where
    /// there are sessions by then, a reload waits for it.
    private func waitForSessions() async {
        let end = ContinuousClock.now + .seconds(8)
        while ContinuousClock.now < end, !Task.isCancelled {
            guard let table = try? await stats.send("show table sessions"), !RuntimeAnswers.table(table).isEmpty,
                let peers = try? await stats.send("show peers"), !RuntimeAnswers.peersAreReady(peers)
            else { return }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    private func settle(on revision: String, action: String) async throws {
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(10) {
            // The master runs itself anew once its worker is up, and its socket is deaf meanwhile.
            if (try? await runningRevision()) == revision, await onlyTheNewWorkerListens() { return }
            let isLate = ContinuousClock.now - start > .milliseconds(200)
            if isLate, let text = try? await master.send("show proc"), RuntimeAnswers.processes(text).hasFailed { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw HAProxyError(code: .disagrees, action: action, message: "the new configuration did not come into use; see the system's log")
    }

    /// False while an old worker may still take a connection: it hears of no change at run time, and would answer as before.
    private func onlyTheNewWorkerListens() async -> Bool {
        guard let text = try? await master.send("show proc") else { return false }
        for pid in RuntimeAnswers.processes(text).oldWorkers {
            // One that does not answer has ended meanwhile, which the next look shows.
            guard let info = try? await master.send("@!\(pid) show info"), RuntimeAnswers.info("Stopping", in: info) == "1" else {
                return false
            }
        }
        return true
    }

    // MARK: - Runtime changes

    private func adjustSlots(_ layout: GatewayLayout, only state: GatewaySlot.State? = nil) async throws {
        let seen = Dictionary(
            RuntimeAnswers.slots(try await stats.send("show servers state")).map { ("\($0.backend)/\($0.slot.name)", $0.slot) },
            uniquingKeysWith: { $1 })
        let slots = layout.pools.flatMap { pool in pool.slots.map { (name: "\(pool.backendName)/\($0.name)", slot: $0) } }
        // What takes connections comes in before anything goes out: between the two a pool would have nobody.
        for entry in slots.filter({ $0.slot.state == .ready }) + slots.filter({ $0.slot.state != .ready }) {
            guard let present = seen[entry.name], state == nil || entry.slot.state == state else { continue }
            for command in try Self.commands(from: present, to: entry.slot, name: entry.name) { try await tell(command) }
        }
    }

    /// The commands that turn one slot into another, in the order in which nothing goes to a wrong address meanwhile.
    static func commands(from present: GatewaySlot, to wanted: GatewaySlot, name: String) throws -> [String] {
        guard let endpoint = wanted.endpoint else {
            return present.state == .maintenance ? [] : ["set server \(name) state maint", "shutdown sessions server \(name)"]
        }
        // HAProxy takes a port modulo 65536 without a word.
        guard (1...65_535).contains(endpoint.port) else {
            throw HAProxyError(code: .refused, action: "plugging in \(name)", message: "port \(endpoint.port) is not 1 to 65535")
        }
        var commands: [String] = []
        if present.endpoint != endpoint {
            if present.state != .maintenance { commands += ["set server \(name) state maint", "shutdown sessions server \(name)"] }
            commands.append("set server \(name) addr \(endpoint.address) port \(endpoint.port)")
            if present.weight != wanted.weight { commands.append("set server \(name) weight \(wanted.weight)") }
            commands.append("set server \(name) state \(wanted.state.rawValue)")
        } else {
            if present.weight != wanted.weight { commands.append("set server \(name) weight \(wanted.weight)") }
            if present.state != wanted.state { commands.append("set server \(name) state \(wanted.state.rawValue)") }
        }
        return commands
    }

    /// Changes what differs, entry by entry.
    private func adjust(_ map: GatewayMap) async throws {
        try warrant()
        let path = "\(folder)/\(map.name)"
        let present = RuntimeAnswers.map(try await stats.send("show map \(path)"))
        for (key, value) in map.entries.sorted(by: { $0.key < $1.key }) where present[key] != value {
            // A blank would end the value, and a semicolon the command: HAProxy reads "\;" as the character itself.
            let escaped = value.replacing(";", with: "\\;")
            try await tell(present[key] == nil ? "add map \(path) \(key) \(escaped)" : "set map \(path) \(key) \(escaped)")
        }
        for key in present.keys.sorted() where map.entries[key] == nil { try await tell("del map \(path) \(key)") }
    }

    /// Sends a command that answers nothing, or tells of a changed address, when it was carried out.
    private func tell(_ command: String) async throws {
        try warrant()
        let answer = try await stats.send(command)
        guard answer.isEmpty || answer.contains("changed from") || answer.contains("no need to change") else {
            // Not the command itself: it may hold a user's hash.
            let words = command.split(separator: " ").prefix(3).joined(separator: " ")
            throw HAProxyError(code: .refused, action: "telling HAProxy to \(words)", message: String(answer.prefix(300)))
        }
    }

    private func writeMaps(_ layout: GatewayLayout) throws {
        try warrant()
        for map in layout.maps { try Files.write(map.text, to: "\(folder)/\(map.name)", mode: 0o600) }
    }
}
