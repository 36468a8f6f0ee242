import Model
import Platform

/// Workers that finish their connections after a reload: they hear of no change of the layout by themselves.
extension HAProxyGateway {
    /// Ends what old workers still carry to exits that the layout has no more: those are dead, or have had their time.
    func cutStale(_ layout: GatewayLayout) async {
        let kept = Set(layout.pools.flatMap { $0.slots.compactMap(\.endpoint) })
        for pid in RuntimeAnswers.processes((try? await sockets.master.send("show proc")) ?? "").oldWorkers {
            await cutStale(of: pid, besides: kept)
        }
    }

    private func cutStale(of pid: Int, besides kept: Set<Endpoint>) async {
        // One that does not answer has ended meanwhile.
        guard let state = try? await sockets.master.send("@!\(pid) show servers state"),
            let sessions = try? await sockets.master.send("@!\(pid) show sess")
        else { return }
        let stale = RuntimeAnswers.slots(state).filter { entry in entry.slot.endpoint.map { !kept.contains($0) } ?? false }
        let slots = Set(stale.map { "\($0.backend)/\($0.slot.name)" })
        // One by one: of a server as a whole, a worker that stops refuses ("Proxy is disabled").
        for session in RuntimeAnswers.carried(sessions)
        where !session.isBeingMade && slots.contains(RuntimeAnswers.slotName(of: session.server)) {
            _ = try? await sockets.master.send("@!\(pid) shutdown session \(session.id)")
            log.debug("a connection of an old worker is cut", ["server": session.server, "pid": "\(pid)"])
        }
    }

    // MARK: - Limits

    /// Users with a limit of connections, and how many they have in other workers than the newest: a worker counts only its own.
    /// `alice 2:1795634847`, the number and the second until which it may be believed.
    var elsewhereMap: String { "\(folder)/elsewhere.map" }

    /// Seconds that a number is believed if nobody brings a newer one.
    private static let elsewhereSeconds = 30

    /// By worker, the connections of each user who has any.
    func connectionsOfUsers() async throws -> [WorkerName: [String: Int]] {
        var counts: [WorkerName: [String: Int]] = [:]
        for worker in try await workers().answering {
            guard let answer = try? await worker.ask("show table users data.conn_cur gt 0") else { continue }
            counts[worker.name] = RuntimeAnswers.table(answer).mapValues { $0["conn_cur"] ?? 0 }
        }
        return counts
    }

    /// The map's text right before a reload, when all connections will be elsewhere.
    func elsewhereText(_ counts: [String: Int]) -> String {
        elsewhereEntries(counts).sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }.joined()
    }

    private func elsewhereEntries(_ counts: [String: Int]) -> [String: String] {
        let limited = Set((lastLayout?.users ?? []).filter { $0.limits.connections != nil }.map(\.name))
        let last = Int(SystemClock.now().milliseconds / 1000) + Self.elsewhereSeconds
        return counts.filter { limited.contains($0.key) }.mapValues { "\($0):\(last)" }
    }

    /// Tells the newest worker, of each only what has changed or is about to be believed no more.
    func publishElsewhere(_ counts: [String: Int]) async throws {
        guard !(counts.isEmpty && nobodyIsElsewhere) else { return }
        let present = RuntimeAnswers.map(try await sockets.stats.send("show map \(elsewhereMap)"))
        let wanted = elsewhereEntries(counts)
        let soon = Int(SystemClock.now().milliseconds / 1000) + Self.elsewhereSeconds / 2
        for (user, value) in wanted.sorted(by: { $0.key < $1.key }) {
            let words = (present[user] ?? "").split(separator: ":")
            if words.count == 2, value.hasPrefix("\(words[0]):"), Int(words[1]).map({ $0 > soon }) ?? false { continue }
            try await execute("\(present[user] == nil ? "add" : "set") map \(elsewhereMap) \(user) \(value)")
        }
        for user in present.keys.sorted() where wanted[user] == nil { try await execute("del map \(elsewhereMap) \(user)") }
        nobodyIsElsewhere = counts.isEmpty
    }
}
