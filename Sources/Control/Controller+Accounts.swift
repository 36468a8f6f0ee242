package import Model
package import Planning
import Platform

/// The accounts: which there are, and whether their keys are at fault.
extension Controller {
    /// Whose key the tunnel to a server has.
    func account(of server: Server) -> ProviderAccount { rules.devices.account(of: server) }

    /// Takes the accounts as the configuration has them now.
    /// - Parameter exchanged: accounts with another key or token, against which nothing is held any more.
    package func use(_ devices: DeviceBudget, exchanged: Set<ProviderAccount>) {
        rules.devices = devices
        for account in exchanged { noteKeyAccepted(by: account) }
        wake()
    }

    /// The configured accounts, and those of WireGuard files whose keys exits have.
    func accountsInUse() -> [AccountUse] {
        let (devices, now) = (rules.devices, ports.now())
        let inUse = DevicesInUse(exits, nil, devices)
        let ofFiles = Set(exits.values.lazy.compactMap(\.server).filter(\.hasOwnKey).map(\.holder)).sorted()
        let configured = ports.keys.providers.filter { $0 != .wireguard }.flatMap(devices.accounts)
        return (configured + ofFiles).map { account in
            let breaker = term.breakers[.credential(account)]
            let limit = account.provider == .wireguard ? devices.ofOneAccount : devices.limit(of: account)
            return AccountUse(
                account: account, inUse: inUse.count(of: account), limit: limit, state: breaker?.state(now) ?? .closed,
                reason: breaker?.reason)
        }
    }

    /// Those whose key or token is refused, and not to be tried again yet.
    var refusedAccounts: Set<ProviderAccount> {
        let now = ports.now()
        return Set(
            term.breakers.all.compactMap { key, breaker in
                if case .credential(let account) = key, breaker.state(now) == .open { account } else { nil }
            })
    }

    // MARK: - The key

    /// An account's key was taken, by a server that was asked or by one through which an exit is well: it is a good one, whatever has
    /// failed before.
    func noteKeyAccepted(by account: ProviderAccount) {
        term.handshakes.keyWasAccepted(by: account)
        let key = BreakerKey.credential(account)
        guard term.breakers[key] != nil else { return }
        record(term.breakers.reset(key, ports.now()), of: key)
        wake()
    }

    /// What an exit's failure says about its account's key.
    func learnAboutCredential(of server: Server, _ reason: ExitReason, _ now: Timestamp) {
        // The name in its file may lead elsewhere by now; and its key is no other server's.
        if server.hasOwnKey { return term.searches.forget(server.country) }
        let account = account(of: server)
        let key = BreakerKey.credential(account)
        if reason == .credentialsRejected { return record(term.breakers.fail(key, reason, now), of: key) }
        // Its next tunnel has another account: nobody else would find out about this one.
        if reason == .blackhole, hasOthers(account) {
            _ = term.handshakes.wereSilent([server], of: account, now: now)
            suspectKey(of: account)
        }
        guard reason == .handshakeTimeout else { return }
        // A trial that failed, where nothing else says more.
        if ports.handshakes == nil, term.breakers[key]?.state(now) == .halfOpen {
            return record(term.breakers.fail(key, reason, now), of: key)
        }
        noteSilence(of: [server], now)
    }

    /// Servers that took our key before, or were meant to, and don't answer now.
    func noteSilence(of servers: [Server], _ now: Timestamp) {
        for (account, silent) in Dictionary(grouping: servers.filter { !$0.hasOwnKey }, by: account) {
            let count = term.handshakes.wereSilent(silent, of: account, now: now)
            if count >= settings.serversUntilCredential { suspectKey(of: account) }
        }
    }

    private func hasOthers(_ account: ProviderAccount) -> Bool { rules.devices.accounts(of: account.provider).count > 1 }

    private func isWell(_ account: ProviderAccount) -> Bool {
        exits.values.contains { exit in
            exit.state.isProbed && exit.health.verdict == .healthy && exit.server.map { self.account(of: $0) == account } ?? false
        }
    }

    /// Many servers are silent: is it the key, or are they not there?
    private func suspectKey(of account: ProviderAccount) {
        guard !isWell(account), term.handshakes.beginExamining(account) else { return }
        spawn { await $0.examineKey(of: account) }
    }

    /// Asks again for keys whose pause is over, where no exit would: exits take the other accounts meanwhile.
    func reexamineKeys() {
        let now = ports.now()
        for case (.credential(let account), let breaker) in term.breakers.all {
            // Of an account that is not configured any more nobody needs to hear.
            guard rules.devices.has(account) else {
                noteKeyAccepted(by: account)
                continue
            }
            guard breaker.state(now) == .halfOpen, hasOthers(account) else { continue }
            guard term.handshakes.mayExamineAgain(account, now), term.handshakes.beginExamining(account) else { continue }
            spawn { await $0.examineKey(of: account) }
        }
    }

    /// Servers beside the silent ones that a key is examined by.
    private static let sampled = 6

    private func examineKey(of account: ProviderAccount) async {
        let term = term
        let reason = await refusal(of: account)
        term.handshakes.endExamining(account)
        guard term === self.term, let reason, !isWell(account) || reason == .credentialsRejected else { return }
        let key = BreakerKey.credential(account)
        record(term.breakers.fail(key, reason, ports.now()), of: key)
        wake()
    }

    /// Why an account's key can't be used; nil where it can, or where that is not known. Where servers that can be reached don't answer our
    /// key, and nobody else's server of the provider does, nothing else explains their silence. Servers that can't be reached say nothing
    /// about it.
    private func refusal(of account: ProviderAccount) async -> ExitReason? {
        guard let handshakes = ports.handshakes else { return .handshakeTimeout }
        let silent = term.handshakes.silentServers(of: account)
        // The best server of a country is the one that an exit has, as often as not.
        let sample = await handshakes.sample(of: account.provider, limit: Self.sampled + exits.count).map { server in
            var server = server
            server.account = account.name
            return server
        }
        let held = Set(exits.values.filter { $0.keepsContainer }.compactMap(\.server?.address))
        var names: Set<String> = []
        let free = sample.filter { !held.contains($0.address) }.prefix(Self.sampled)
        let asked = (silent.filter { !held.contains($0.address) } + free).filter { names.insert($0.hostname).inserted }
        if hasOthers(account), let first = asked.first {
            do { _ = try await ports.keys.access(to: first) } catch let failure as ExitFailure where failure.reason == .credentialsRejected
            {
                return .credentialsRejected
            } catch { return nil }
        }
        let accepted = await handshakes.accepted(by: asked) ?? []
        guard accepted.isEmpty else {
            noteKeyAccepted(by: account)
            return nil
        }
        return await handshakes.reachable(asked).count >= settings.serversUntilCredential ? .handshakeTimeout : nil
    }
}
