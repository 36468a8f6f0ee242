import Glibc
import Planning
import Platform

extension HAProxyGateway.Standing {
    /// The label of `sallyport_gateway_loads_total`.
    fileprivate var kindOfLoad: String {
        switch self {
        case .answers: "reload"
        case .isAway: "start"
        case .finishes, .isBeyondReach, .hangs: "replacement"
        }
    }
}

/// An HAProxy that can't be told anything any more gets a successor. What its workers still carry goes on where they can carry it.
extension HAProxyGateway {
    /// Brings a configuration into use that is in its file, by the least that does it.
    /// - Parameter isUrgent: true where requests fail until it is done.
    func load(_ revision: String, as standing: Standing, isUrgent: Bool = false) async throws {
        switch standing {
        case .answers: try await reload(revision, isUrgent: isUrgent)
        case .finishes: try await reload(revision, isUrgent: true)
        case .isBeyondReach(let handsOver): try await takeOver(revision, handsOver: handsOver)
        case .hangs, .isAway: try await start(revision)
        }
        silence.since = nil
        let (kind, words) = (standing.kindOfLoad, "HAProxy was given a whole configuration")
        Metrics.gatewayLoads.add(1, kind)
        guard kind == "replacement" else { return log.debug(words, ["kind": kind, "revision": revision]) }
        log.warning(words, ["kind": kind, "because": standing.words])
    }

    /// Starts another HAProxy beside one whose worker serves. It takes the open ports over, so that no connection is refused, or opens them
    /// beside; then the old worker finishes what it has.
    private func takeOver(_ revision: String, handsOver: Bool) async throws {
        let old = [processes.newestWorker?.pid].compactMap(\.self)
        try await start(revision, takingPortsBy: handsOver ? settings.statsSocket : nil, from: old)
        await endListening(old)
    }

    /// Kills the newest worker, which has the port and answers nobody. Older ones go on: they would end with their master, and so that one
    /// is only stopped, until they are done.
    func endHanging() async throws {
        let living = processes
        guard let worker = living.newestWorker else { return }
        try warrant()
        if let master = living.entries.first(where: { $0.pid == worker.parent }) {
            kill(master.pid, living.workers(of: master).count > 1 ? SIGSTOP : SIGKILL)
        }
        await endByForce(worker.pid)
    }

    /// True where workers of a predecessor still finish connections: they can't be asked where they lead to.
    /// - Parameter master: the pid of the one that answers.
    func hasPredecessors(of master: Int) -> Bool {
        guard settings.isStartedByUs else { return false }
        return processes.heads.contains { Int($0.pid) != master }
    }

    /// Ends masters of before that have no worker any more, and workers of theirs that hang. Only in a turn: one that starts has none either.
    func sweep() async {
        guard settings.isStartedByUs, hasRemains,
            let master = (try? await sockets.quickMaster.send("show proc")).flatMap({ RuntimeAnswers.processes($0).master })
        else { return }
        let living = processes
        let rest = living.heads.filter { Int($0.pid) != master }
        for head in rest where living.workers(of: head).isEmpty {
            kill(head.pid, SIGKILL)
            log.info("the last process of an HAProxy that was replaced is ended", ["pid": "\(head.pid)"])
        }
        await endListening(rest.flatMap(living.workers).map(\.pid))
        hasRemains = !rest.isEmpty
    }
}

extension HAProxyGateway.Standing {
    /// Whether its worker takes connections, so that it has the ports of its file.
    var isServing: Bool {
        switch self {
        case .answers, .isBeyondReach: true
        case .finishes, .hangs, .isAway: false
        }
    }

    /// What was found, for the log.
    var words: String {
        switch self {
        case .answers: "its structure has changed"
        case .finishes: "it had been told to finish, and accepted no connection"
        case .isBeyondReach(true): "its master did not answer; its worker drains its connections"
        case .isBeyondReach(false): "its sockets were gone; its worker drains its connections"
        case .hangs: "its worker accepted connections and answered none"
        case .isAway: "it did not run"
        }
    }
}
