import Glibc
import Planning
import Platform

/// HAProxy's process: its start, reload and end.
extension HAProxyGateway {
    /// True when the master answers. One that lives and refuses is asked again for up to 2 s: after a reload it runs itself anew
    /// once more, some time after its new worker is up, and its socket is deaf meanwhile.
    package func isRunning() async -> Bool {
        let end = ContinuousClock.now + .seconds(2)
        while (try? await sockets.quickMaster.send("show proc")) == nil {
            guard await isThere(), ContinuousClock.now < end, !Task.isCancelled else { return false }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return true
    }

    /// Whether it lives, also where it answers nobody: then its ports are ours. Of one in another container its worker tells.
    package func isThere() async -> Bool {
        if settings.isStartedByUs { return !processes.entries.isEmpty }
        return (try? await sockets.quickStats.send("show info")) != nil
    }

    var pidFile: String { "\(folder)/haproxy.pid" }

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

    /// - Parameters:
    ///   - sockets: the socket of a worker that hands its open ports over; nil opens all of them anew.
    ///   - old: workers that are to finish their connections as soon as the new one takes them.
    func start(_ revision: String, takingPortsBy sockets: String? = nil, from old: [pid_t] = []) async throws {
        guard settings.isStartedByUs else { return try await awaitRevision(revision, action: "waiting for HAProxy to be started") }
        try warrant()
        try sharing.write("", to: elsewhereMap)
        var words = ["-W", "-D", "-f", file, "-p", pidFile, "-S", "\(folder)/master.sock,\(settings.socketMode.replacing(" ", with: ","))"]
        if let sockets { words += ["-x", sockets] }
        // Takes all words that follow.
        if !old.isEmpty { words += ["-sf"] + old.map { "\($0)" } }
        let result = try await Programs.run("haproxy", words, inBatches: true)
        guard result.status == 0 else {
            throw HAProxyError(code: .refused, action: "starting HAProxy", message: String(result.output.prefix(1000)))
        }
        try await awaitRevision(revision, besides: old, action: "starting HAProxy")
    }

    /// - Parameter isUrgent: true where requests fail meanwhile: then sessions may be lost.
    func reload(_ revision: String, isUrgent: Bool = false) async throws {
        if !isUrgent { await waitForSessions() }
        await rememberOwners()
        let old = (try? await sockets.quickStats.send("show info")).flatMap { RuntimeAnswers.info("Pid", in: $0) }.flatMap { pid_t($0) }
        var counts: [String: Int] = [:]
        do { counts = try await connectionsOfUsers().values.reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) } } catch {
            // A worker that finishes can't be asked any more.
            guard isUrgent else { throw error }
        }
        try warrant()
        try sharing.write(elsewhereText(counts), to: elsewhereMap)
        try writeQuotas()
        nobodyIsElsewhere = false
        _ = try await sockets.master.send("reload")
        try await awaitRevision(revision, besides: [old].compactMap(\.self), action: "reloading HAProxy")
    }

    /// A worker of a first start hands no sessions over in its first 5 s, in which it waits for ones from before. So where
    /// there are sessions by then, a reload waits for it.
    private func waitForSessions() async {
        let end = ContinuousClock.now + .seconds(8)
        while ContinuousClock.now < end, !Task.isCancelled {
            guard let table = try? await sockets.stats.send("show table sessions"), !RuntimeAnswers.table(table).isEmpty,
                let peers = try? await sockets.stats.send("show peers"), !RuntimeAnswers.peersAreReady(peers)
            else { return }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Waits until the worker that takes connections runs this revision, for at most 10 s.
    /// - Parameter old: workers whose answer is none.
    private func awaitRevision(_ revision: String, besides old: [pid_t] = [], action: String) async throws {
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(10) {
            let isLate = ContinuousClock.now - start > .milliseconds(200)
            // The master runs itself anew once its worker is up, and its socket is deaf meanwhile.
            if let info = try? await sockets.stats.send("show info"), RuntimeAnswers.info("description", in: info) == revision,
                !old.contains(where: { RuntimeAnswers.info("Pid", in: info) == "\($0)" })
            {
                if await onlyNewWorkerAccepts() { return }
                if isLate { await endListening(old) }
            }
            if isLate, let text = try? await sockets.master.send("show proc"), RuntimeAnswers.processes(text).hasFailed { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw HAProxyError(code: .disagrees, action: action, message: "the new configuration is not in use; see the system's log")
    }

    /// False while an old worker may still take a connection: it hears of no change at run time, and would answer as before.
    private func onlyNewWorkerAccepts() async -> Bool {
        guard let text = try? await sockets.master.send("show proc") else { return false }
        for pid in RuntimeAnswers.processes(text).oldWorkers {
            // One that does not answer has ended meanwhile, which the next look shows.
            guard let info = try? await sockets.master.send("@!\(pid) show info"), RuntimeAnswers.info("Stopping", in: info) == "1" else {
                return false
            }
        }
        return true
    }

    /// Ends HAProxy with all its connections. One that does not run is no error.
    package func stop() async throws { try await mutex.withLock { try await end() } }

    func end() async throws {
        guard settings.isStartedByUs else { return }
        // Whoever is amid a reload keeps its pid; a master that is stopped hears nothing before it goes on.
        for entry in processes.entries { kill(entry.pid, SIGCONT) }
        for head in processes.heads { kill(head.pid, SIGTERM) }
        if await areGone(within: 5) { return }
        for entry in processes.entries { kill(entry.pid, SIGKILL) }
        if await areGone(within: 2) { return }
        let left = processes.entries.map { "\($0.pid)" }.joined(separator: ", ")
        throw HAProxyError(code: .disagrees, action: "stopping HAProxy", message: "process \(left) did not end, not even by SIGKILL")
    }

    private func areGone(within seconds: Double) async -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        while !processes.entries.isEmpty {
            guard ContinuousClock.now < end else { return false }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return true
    }
}
