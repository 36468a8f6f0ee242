import Glibc
import Planning
import Platform

/// HAProxy's process: whether it runs, its start, reload and end.
extension HAProxyGateway {
    /// True when the master answers. One that lives and refuses is asked again for up to 5 s: after a reload it runs itself anew
    /// once more, some time after its new worker is up, and its socket is deaf meanwhile.
    package func isRunning() async -> Bool {
        let end = ContinuousClock.now + .seconds(5)
        while !(await masterAnswers()) {
            guard await isThere(), ContinuousClock.now < end, !Task.isCancelled else { return false }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return true
    }

    private func masterAnswers() async -> Bool { (try? await master.send("show proc")) != nil }

    /// Whether it lives, though its master is deaf. Of one in another container we know no process: there its worker tells.
    private func isThere() async -> Bool {
        if settings.isStartedByUs { return livingMaster() != nil }
        return (try? await stats.send("show info")) != nil
    }

    /// The process id of the last HAProxy of this folder, if it lives, whether it answers or not.
    private func livingMaster() -> Substring? {
        guard let text = try? Files.read(pidFile), let pid = text.split(separator: "\n").first, Self.lives(pid) else { return nil }
        return pid
    }

    private var pidFile: String { "\(folder)/haproxy.pid" }

    private static func lives(_ pid: Substring) -> Bool {
        guard let status = try? Files.read("/proc/\(pid)/stat") else { return false }
        return status.contains("(haproxy)") && !status.contains("(haproxy) Z")
    }

    /// This folder's HAProxy, whether its master answers or is deaf for a moment, as after a reload. A process that has only got the
    /// number of one from before is not it.
    private func ownMaster() async -> Substring? {
        if let text = try? await master.send("show proc"), let pid = RuntimeAnswers.processes(text).master { return Substring("\(pid)") }
        // While it reads its configuration its file is empty.
        let end = ContinuousClock.now + .seconds(2)
        while (try? Files.read(pidFile))?.isEmpty ?? false, ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(10)) }
        guard let pid = livingMaster(), let words = try? Files.read("/proc/\(pid)/cmdline"), words.contains(pidFile) else { return nil }
        return pid
    }

    /// Refuses a start while the last HAProxy of this folder lives and only does not answer: a second one would take its
    /// ports and sockets, and nobody could reach the first any more.
    private func checkNothingLives() throws {
        guard let pid = livingMaster() else { return }
        throw HAProxyError(
            code: .unavailable, action: "talking to HAProxy on \(folder)/master.sock", message: "process \(pid) lives but does not answer")
    }

    func runningRevision() async throws -> String? {
        RuntimeAnswers.info("description", in: try await stats.send("show info"))
    }

    func check(_ text: String) async throws {
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

    func start(_ revision: String) async throws {
        guard settings.isStartedByUs else { return try await settle(on: revision, action: "waiting for HAProxy to be started") }
        try checkNothingLives()
        try warrant()
        try Files.write("", to: elsewhereMap, mode: 0o600)
        let result = try await Programs.run(
            "haproxy", ["-W", "-D", "-f", file, "-p", pidFile, "-S", "\(folder)/master.sock,mode,600"], inBatches: true)
        guard result.status == 0 else {
            throw HAProxyError(code: .refused, action: "starting HAProxy", message: String(result.output.prefix(1000)))
        }
        try await settle(on: revision, action: "starting HAProxy")
    }

    func reload(_ revision: String) async throws {
        await waitForSessions()
        await rememberOwners()
        let counts = try await connectionsOfUsers().values.reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) }
        try warrant()
        try Files.write(elsewhereText(counts), to: elsewhereMap, mode: 0o600)
        nobodyIsElsewhere = false
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

    /// Ends HAProxy with all its connections. One that does not run is no error.
    package func stop() async throws { try await turns.pass { try await end() } }

    func end() async throws {
        guard settings.isStartedByUs, let pid = await ownMaster(), let number = pid_t(pid) else { return }
        kill(number, SIGTERM)
        for _ in 0..<250 {
            if !Self.lives(pid) { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw HAProxyError(code: .disagrees, action: "stopping HAProxy", message: "process \(pid) did not end within 5 s")
    }
}
