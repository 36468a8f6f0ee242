import Glibc
import Planning
import Platform

/// Whether HAProxy can be told anything, and what is left of it where it can't.
extension HAProxyGateway {
    enum Standing: Equatable {
        /// Its worker answers, and its master; in a container of its own the worker is enough.
        case answers(revision: String?)
        /// The master answers, and no worker takes connections: somebody has told them to finish.
        case finishes
        /// A worker serves, but nothing that lasts can be told: the master hangs, or sockets are gone.
        /// - Parameter handsOver: whether its open ports can be asked for.
        case isBeyondReach(handsOver: Bool)
        /// The newest worker has the port and answers nobody.
        case hangs
        /// Nothing takes connections.
        case isAway
    }

    /// A time in which HAProxy does not answer as it should, and what was tried in it.
    struct Silence {
        /// Nil where the last question was answered.
        var since: ContinuousClock.Instant?
        /// Processes that were stopped and told to go on.
        var continued: Set<pid_t> = []

        /// - Returns: when it began, which is now unless it goes on already.
        @discardableResult
        mutating func begin(at now: ContinuousClock.Instant) -> ContinuousClock.Instant {
            let start = since ?? now
            since = start
            return start
        }
    }

    /// Seconds without an answer after which something is done about it. A master is deaf for a moment after a reload, when it runs itself
    /// anew.
    private static let patience = 1.2
    /// The same where nobody can connect anyway.
    private static let patienceWhileRefused = 0.3

    var processes: GatewayProcesses { GatewayProcesses.of(pidFile: pidFile) }

    /// Asks until the answer is certain: at most `patience` seconds from the first question that was not answered.
    func standing() async throws -> Standing {
        guard settings.isStartedByUs else { return await standingElsewhere() }
        // Nearly always it answers, and then nothing else need be looked at.
        resumeStopped()
        let (hasMaster, worker) = await answers()
        if let worker, let standing = standing(of: worker, hasMaster: hasMaster) { return standing }
        return try await standingInDoubt()
    }

    private func standingInDoubt() async throws -> Standing {
        while true {
            try Task.checkCancellation()
            try checkDescriptors()
            let living = processes
            resume(living.newest)
            async let portAnswer = probePort()
            let (hasMaster, worker) = await answers()
            if let worker {
                if let standing = standing(of: worker, hasMaster: hasMaster) { return standing }
            } else if living.entries.isEmpty {
                return .isAway
            } else if let standing = try standing(byPort: await portAnswer, hasMaster: hasMaster) {
                return standing
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// With a worker that answers; nil where it is not certain yet.
    private func standing(of worker: AnsweringWorker, hasMaster: Bool) -> Standing? {
        let hasSockets = socketsAreThere
        if hasMaster, hasSockets {
            silence = Silence()
            return .answers(revision: worker.revision)
        }
        return isOver(Self.patience) ? .isBeyondReach(handsOver: hasSockets) : nil
    }

    /// With processes of which no worker answers; nil where it is not certain yet.
    private func standing(byPort answer: PortAnswer, hasMaster: Bool) throws -> Standing? {
        switch answer {
        case .refused where isOver(Self.patienceWhileRefused): return hasMaster ? .finishes : .isAway
        case .answered where isOver(Self.patience): return .isBeyondReach(handsOver: false)
        case .silent where isOver(Self.patience): return .hangs
        case .unknown where isOver(Self.patience):
            throw HAProxyError(
                code: .unavailable, action: "talking to HAProxy on port \(settings.gatewayPort)",
                message: "this process can't open a connection now")
        default: return nil
        }
    }

    /// Of one in another container we know no process. Without its master slots and users are changed all the same.
    private func standingElsewhere() async -> Standing {
        let (hasMaster, worker) = await answers()
        if let worker { return .answers(revision: worker.revision) }
        return hasMaster ? .finishes : .isAway
    }

    /// Refuses to judge where this process can open nothing more: to it everything would look dead.
    private func checkDescriptors() throws {
        let descriptor = open("/proc/self/stat", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw HAProxyError(code: .unavailable, action: "looking for HAProxy", message: String(cString: strerror(errno)))
        }
        close(descriptor)
    }

    private func isOver(_ patience: Double) -> Bool {
        .now - silence.begin(at: .now) >= .seconds(patience)
    }

    private struct AnsweringWorker { var revision: String? }

    /// Whether the master answers; and what the worker runs, nil where none that takes connections answers.
    private func answers() async -> (master: Bool, worker: AnsweringWorker?) {
        async let master = sockets.quickMaster.send("show proc")
        async let worker = sockets.quickStats.send("show info")
        let processes = (try? await master).map(RuntimeAnswers.processes)
        guard let info = try? await worker, RuntimeAnswers.info("Stopping", in: info) == "0" else { return (processes?.master != nil, nil) }
        return (processes?.master != nil, AnsweringWorker(revision: RuntimeAnswers.info("description", in: info)))
    }

    /// True where each socket of the worker's has its file. One that is gone does not come back with a reload, which hands the open ones on.
    var socketsAreThere: Bool {
        ["stats", "master", "socks5", "again", "check", "peers"].allSatisfy { name in
            var found = stat()
            return lstat("\(folder)/\(name).sock", &found) == 0 && found.st_mode & S_IFMT == S_IFSOCK
        }
    }

    /// Lets processes go on that a signal has stopped: none of their connections is lost by that. Each is told once, until all answer again.
    func resume(_ entries: [GatewayProcesses.Entry]) {
        for entry in entries where entry.state == "T" && silence.continued.insert(entry.pid).inserted {
            kill(entry.pid, SIGCONT)
            Metrics.gatewayRepairs.add(1)
            log.warning("HAProxy was stopped by a signal and is continued", ["pid": "\(entry.pid)"])
        }
    }

    /// The same for the processes of the pid file, which costs little.
    func resumeStopped() {
        guard settings.isStartedByUs, let text = try? Files.read(pidFile), let master = pid_t(text.prefix { $0.isNumber }) else { return }
        let children = (try? Files.read("/proc/\(master)/task/\(master)/children"))?.split(separator: " ").compactMap { pid_t($0) } ?? []
        let stopped = ([master] + children).compactMap(GatewayProcesses.entry).filter { $0.state == "T" }
        // The number may be another process's by now: all of them are looked for.
        if !stopped.isEmpty { resume(processes.newest) }
    }

    // MARK: - By the port itself

    private enum PortAnswer { case refused, answered, silent, unknown }

    /// What comes of a connection to the gateway port. Any byte, and an end as well, is a worker's. What this process or machine lacks, a
    /// descriptor or a port, says nothing of HAProxy.
    private func probePort() async -> PortAnswer {
        let address = lastLayout.map { settings.address(of: $0) } ?? settings.gatewayAddress
        let target = address == "0.0.0.0" ? "127.0.0.1" : address
        let port = settings.gatewayPort
        return (try? await Blocking.run { Self.probePort(target, port) }) ?? .unknown
    }

    private static func probePort(_ address: String, _ port: Int) -> PortAnswer {
        guard let name = SocketAddress(address, port: port) else { return .unknown }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return .unknown }
        defer { close(descriptor) }
        SocketOptions.setDeadline(0.4, of: descriptor)
        guard name.connect(descriptor) else { return answer(byError: errno) }
        let request = Array("GET http://ip.sallyport/ HTTP/1.1\r\nHost: ip.sallyport\r\n\r\n".utf8)
        _ = request.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, 0)
        return count >= 0 || errno == ECONNRESET ? .answered : .silent
    }

    /// Where no connection was made.
    private static func answer(byError code: Int32) -> PortAnswer {
        switch code {
        case ECONNREFUSED: .refused
        // Its queue is full, which is as good as no answer.
        case EINPROGRESS, EAGAIN, ETIMEDOUT: .silent
        default: .unknown
        }
    }
}
