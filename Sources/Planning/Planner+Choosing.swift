import Model

/// Which server a waiting exit takes. What exits hold, what the exit avoids and what has failed is weighed here, at the moment of
/// choosing: the list of a pool only says what is known of each server by itself, and may be a minute old. Where handshakes can be had,
/// the best few are asked before a container is spent on one of them.
extension Planner {
    enum Choice {
        case take(Server)
        /// Handshakes first.
        case ask([Server])
        /// Servers of the pool are being asked.
        case isAsking
        /// None of so many servers answers.
        case silence(Int)
        /// Each is in use.
        case none
    }

    /// Servers that are asked at once: the best ones; more where these were silent; and beside them those that have failed or are known.
    private static let asked = 8
    private static let askedInSilence = 24
    private static let askedBeside = 8
    /// Silent servers after which no more of a list are asked; fewer where none has ever answered this machine.
    private static let silentAtMost = 128
    private static let silentUntrusted = 32
    /// Seconds for which no better one is looked for where one has answered.
    private static let roundSeconds = 3.0
    /// Seconds of silence after which a container is tried all the same, and between two such tries.
    private static let blindSeconds = 15.0

    /// What is free for an exit, and how good it is.
    private struct Field {
        let candidates: [RankedServer]
        let holdings: Holdings
        let avoided: [AvoidedServer]

        func isFree(_ server: Server) -> Bool { !holdings.isHeld(server) }
    }

    func choose(for exit: Exit, from candidates: [RankedServer]) -> Choice {
        let field = field(for: exit, candidates)
        guard let handshakes = world.handshakes,
            candidates.contains(where: { handshakes.canAsk($0.server.provider, now) })
        else { return blind(exit, field).map(Choice.take) ?? .none }
        guard !world.asking.contains(exit.country) else { return .isAsking }
        let best = pick(exit, field) { isFresh($0, field) && answer(of: $0, handshakes) != .silent }
        if let best, answer(of: best, handshakes) == .accepted { return .take(best) }
        if let server = accepting(exit, field, handshakes) { return .take(server) }
        // Where old containers still hold all that are left, nobody can be asked.
        guard field.candidates.contains(where: { isFree($0.server, field) }) else { return blind(exit, field).map(Choice.take) ?? .none }
        return chooseUnanswered(for: exit, best, field, handshakes)
    }

    /// A provider that can't be asked is taken at its word.
    private func answer(of server: Server, _ handshakes: HandshakeKnowledge) -> HandshakeKnowledge.Answer? {
        handshakes.canAsk(server.provider, now) ? handshakes.answer(of: server, now) : .accepted
    }

    /// Right after a round of handshakes, the best server that has accepted the key; one that failed before where no other has.
    private func accepting(_ exit: Exit, _ field: Field, _ handshakes: HandshakeKnowledge) -> Server? {
        guard handshakes.age(exit.country, now) < Self.roundSeconds else { return nil }
        func isAccepting(_ server: Server) -> Bool { answer(of: server, handshakes) == .accepted }
        return pick(exit, field) { isFresh($0, field) && isAccepting($0) }
            ?? field.candidates.first { isFree($0.server, field) && isAccepting($0.server) }?.server
    }

    /// - Parameter best: the best server that was not silent.
    private func chooseUnanswered(for exit: Exit, _ best: Server?, _ field: Field, _ handshakes: HandshakeKnowledge) -> Choice {
        let isTrusted = field.candidates.contains { handshakes.isTrusted($0.server.provider) && isFree($0.server, field) }
        // On through the list, while there is somebody who was not asked; then again, after pauses.
        let goesOn = best != nil && handshakes.silent(exit.country, now) < (isTrusted ? Self.silentAtMost : Self.silentUntrusted)
        if goesOn || handshakes.age(exit.country, now) >= handshakes.pause(exit.country, now) {
            return .ask(questions(exit.country, field, handshakes, again: !goesOn))
        }
        let lastLaunch = begun[exit.country, default: 0] > 0 ? now : world.launches[exit.country]?.max()
        let isBlind =
            handshakes.silence(exit.country, now) ?? 0 >= Self.blindSeconds
            && lastLaunch.map { now - $0 >= Self.blindSeconds } ?? true
        if isTrusted, !isBlind { return .silence(handshakes.silent(exit.country, now)) }
        // Silence may be only this machine's: one goes to see.
        return (best ?? blind(exit, field)).map(Choice.take) ?? .none
    }

    /// The servers of a pool whose answers its exits may need next.
    mutating func questionsAhead(for country: CountryCode) -> [Server] {
        guard let handshakes = world.handshakes, !world.asking.contains(country), let candidates = world.servers[country],
            handshakes.age(country, now) >= max(Self.roundSeconds, handshakes.pause(country, now)),
            candidates.contains(where: { handshakes.canAsk($0.server.provider, now) })
        else { return [] }
        return questions(country, field(for: nil, withAccountsAhead(candidates, in: country)), handshakes)
    }

    private func field(for exit: Exit?, _ candidates: [RankedServer]) -> Field {
        Field(
            candidates: candidates, holdings: holdings ?? newHoldings,
            avoided: exit?.avoid.filter { $0.until > now } ?? [])
    }

    private func isFree(_ server: Server, _ field: Field) -> Bool {
        field.isFree(server) && !field.holdings.isTunnelled(server)
    }

    private func isFresh(_ server: Server, _ field: Field) -> Bool { isFree(server, field) && isUnblamed(server, field) }

    private func isUnblamed(_ server: Server, _ field: Field) -> Bool {
        !field.avoided.contains { $0.hostname == server.hostname } && !world.blockedServers.contains(server.hostname) && isAllowed(server)
    }

    /// The best few by their points, those that have failed, and those that have taken our key before.
    /// - Parameter again: also those that were silent a moment ago.
    private func questions(_ country: CountryCode, _ field: Field, _ handshakes: HandshakeKnowledge, again: Bool = true) -> [Server] {
        func canAsk(_ server: Server) -> Bool { isFree(server, field) && handshakes.canAsk(server.provider, now) }
        let silent = handshakes.silent(country, now)
        let best = Self.best(silent < Self.asked ? Self.asked : Self.askedInSilence, of: field.candidates, field.holdings.surroundings) {
            canAsk($0) && isFresh($0, field) && (again || handshakes.answer(of: $0, now) == nil)
        }
        let known = Self.best(Self.askedBeside, of: field.candidates, field.holdings.surroundings) {
            canAsk($0) && handshakes.acceptedKey($0)
        }
        let failed = Self.best(Self.askedBeside, of: field.candidates, field.holdings.surroundings) { canAsk($0) && !isFresh($0, field) }
        var names: Set<String> = []
        return (best + known + failed).filter { names.insert($0.address).inserted }
    }

    /// The best one that failed neither this exit nor another; where there is no other, the one that failed first.
    private func blind(_ exit: Exit, _ field: Field) -> Server? {
        let good = pick(exit, field) { isFresh($0, field) } ?? pick(exit, field) { field.isFree($0) && isUnblamed($0, field) }
        if let good { return good }
        let free = field.candidates.map(\.server).filter(field.isFree)
        return field.avoided.lazy.compactMap { entry in free.first { $0.hostname == entry.hostname } }.first
            ?? free.min { (openUntil($0), $0.hostname) < (openUntil($1), $1.hostname) }
    }

    /// The best by the pool's strategy.
    private func pick(_ exit: Exit, _ field: Field, where isMeant: (Server) -> Bool) -> Server? {
        let isRandom = desired.pools[exit.country]?.strategy == .random
        let best = Self.best(isRandom ? ServerRanking.choices : 1, of: field.candidates, field.holdings.surroundings, where: isMeant)
        return best.count < 2 ? best.first : best[draw(exit, of: best.count)]
    }

    /// The few best servers, best first. The candidates are in the order of their own points, to which their surroundings only add: what
    /// is worse by itself than the last of the few need not be looked at.
    private static func best(
        _ count: Int, of candidates: [RankedServer], _ surroundings: ServerRanking.Surroundings, where isMeant: (Server) -> Bool
    ) -> [Server] {
        var best: [(points: Double, server: Server)] = []
        for candidate in candidates {
            if best.count == count, let last = best.last, candidate.score > last.points { break }
            guard isMeant(candidate.server) else { continue }
            let points = candidate.score + surroundings.points(of: candidate.server)
            let place = best.firstIndex { (points, candidate.server.hostname) < ($0.points, $0.server.hostname) } ?? best.endIndex
            guard place < count else { continue }
            best.insert((points, candidate.server), at: place)
            if best.count > count { best.removeLast() }
        }
        return best.map(\.server)
    }

    /// A number below `count` that is another one for each exit and each moment.
    private func draw(_ exit: Exit, of count: Int) -> Int {
        var generator = SplitMix64(state: UInt64(truncatingIfNeeded: now.milliseconds) &+ UInt64(exit.id.number) << 48)
        return Int.random(in: 0..<count, using: &generator)
    }

    private func openUntil(_ server: Server) -> Timestamp {
        world.breakers[.server(server.hostname)]?.openUntil ?? now
    }
}
