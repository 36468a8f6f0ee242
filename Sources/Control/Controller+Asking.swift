import Model
import Planning
import Platform

/// Handshakes without an exit: which servers are there and take our key, and whether the key is at fault.
extension Controller {
    /// Asks servers of a pool. The answers are there in the next pass.
    func ask(_ country: CountryCode, _ servers: [Server]) {
        guard let asked = ports.handshakes, term.handshakes.beginAsking(country) else { return }
        spawn { await $0.ask(asked, country, servers) }
    }

    private func ask(_ asked: any ServerHandshakes, _ country: CountryCode, _ servers: [Server]) async {
        let term = term
        let accepted = await asked.accepted(by: servers)
        term.handshakes.endAsking(country)
        guard term === self.term else { return }
        let now = ports.now()
        if let accepted {
            term.handshakes.knowledge.received(accepted, of: servers, for: country, now)
            for provider in Set(servers.filter { accepted.contains($0.hostname) }.map(\.provider)) { noteKeyAccepted(by: provider) }
            // Where no server has ever answered this machine, silence says nothing about the key.
            if accepted.isEmpty { noteSilence(of: servers.filter { term.handshakes.knowledge.isTrusted($0.provider) }, now) }
            if accepted.isEmpty, servers.contains(where: { $0.account != nil }) { term.searches.forget(country) }
            ports.log.debug("\(accepted.count) of \(servers.count) servers of \(country) accepted the key")
        } else {
            term.handshakes.knowledge.handshakesFailed(Set(servers.map(\.provider)), for: country, now)
        }
        wake()
    }

    // MARK: - The key

    /// A provider's key was taken, by a server that was asked or by one through which an exit is well: it is a good one, whatever has
    /// failed before.
    func noteKeyAccepted(by provider: ProviderName) {
        term.handshakes.keyWasAccepted(by: provider)
        let key = BreakerKey.credential(provider)
        guard term.breakers[key] != nil else { return }
        record(term.breakers.reset(key, ports.now()), of: key)
        wake()
    }

    /// What an exit's failure says about its provider's key.
    func learnAboutCredential(of server: Server, _ reason: ExitReason, _ now: Timestamp) {
        // The name in its file may lead elsewhere by now; and its key is no other server's.
        if server.account != nil { return term.searches.forget(server.country) }
        let key = BreakerKey.credential(server.provider)
        if reason == .credentialsRejected { return record(term.breakers.fail(key, reason, now), of: key) }
        guard reason == .handshakeTimeout else { return }
        // A trial that failed, where nothing else says more.
        if ports.handshakes == nil, term.breakers[key]?.state(now) == .halfOpen {
            return record(term.breakers.fail(key, reason, now), of: key)
        }
        noteSilence(of: [server], now)
    }

    /// Servers that took our key before, or were meant to, and don't answer now.
    private func noteSilence(of servers: [Server], _ now: Timestamp) {
        for (provider, silent) in Dictionary(grouping: servers.filter { $0.account == nil }, by: \.provider) {
            let count = term.handshakes.wereSilent(silent, of: provider, now: now)
            if count >= settings.serversUntilCredential { suspectKey(of: provider) }
        }
    }

    private func isWell(_ provider: ProviderName) -> Bool {
        exits.values.contains { $0.server?.provider == provider && $0.state.isProbed && $0.health.verdict == .healthy }
    }

    /// Many servers are silent: is it the key, or are they not there?
    private func suspectKey(of provider: ProviderName) {
        guard !isWell(provider), term.handshakes.beginExamining(provider) else { return }
        spawn { await $0.examineKey(of: provider) }
    }

    private func examineKey(of provider: ProviderName) async {
        let term = term
        let isRefused = await isKeyRefused(by: provider)
        term.handshakes.endExamining(provider)
        guard term === self.term, isRefused, !isWell(provider) else { return }
        record(term.breakers.fail(.credential(provider), .handshakeTimeout, ports.now()), of: .credential(provider))
        wake()
    }

    /// True where servers that can be reached don't answer our key, and nobody else's server of the provider does: nothing else explains
    /// their silence. Servers that can't be reached say nothing about it.
    private func isKeyRefused(by provider: ProviderName) async -> Bool {
        guard let handshakes = ports.handshakes else { return true }
        let silent = term.handshakes.silentServers(of: provider)
        let sample = await handshakes.sample(of: provider, limit: 6)
        let held = Set(exits.values.filter { $0.keepsContainer }.compactMap(\.server?.address))
        var names: Set<String> = []
        let asked = (silent + sample).filter { !held.contains($0.address) && names.insert($0.hostname).inserted }
        let accepted = await handshakes.accepted(by: asked) ?? []
        guard accepted.isEmpty else {
            noteKeyAccepted(by: provider)
            return false
        }
        return await handshakes.reachable(asked).count >= settings.serversUntilCredential
    }
}
