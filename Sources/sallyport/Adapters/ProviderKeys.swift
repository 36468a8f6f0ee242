import Catalog
import Control
import Model
import Planning
import Platform
import Providers
import Synchronization

/// What the tunnels of each account need.
final class ProviderKeys: TunnelKeys {
    /// One account, as the configuration has it.
    struct Account: Sendable {
        let name: String?
        let client: ProviderClient
        let facts: TunnelFacts

        init(name: String? = nil, client: ProviderClient, facts: TunnelFacts) {
            self.name = name
            self.client = client
            self.facts = facts
        }

        var account: ProviderAccount { ProviderAccount(client.provider.name, name) }
    }

    fileprivate struct Known {
        var key: Secret
        var name: String
        var at: Timestamp
    }

    fileprivate struct State {
        var accounts: [Account]
        /// Asked again after an hour: an account's key can be replaced.
        var keys: [ProviderAccount: Known] = [:]
    }

    private let state: Mutex<State>
    private let breakers: ProviderBreakers
    /// Where each server is an account of its own.
    private let files: WireGuardServers?

    init(_ accounts: [Account], files: WireGuardServers? = nil, breakers: ProviderBreakers = ProviderBreakers()) {
        state = Mutex(State(accounts: accounts))
        self.files = files
        self.breakers = breakers
        state.withLock { $0.takeGivenKeys() }
    }

    var providers: [ProviderName] {
        var names: [ProviderName] = []
        for name in state.withLock({ $0.accounts.map(\.client.provider.name) }) where names.last != name { names.append(name) }
        return names + (files.map { [$0.provider] } ?? [])
    }

    var keyNames: [ProviderAccount: String] { state.withLock { $0.keys.mapValues(\.name) } }

    /// Takes the accounts of a configuration that was read again. Keys that were fetched with a token that is still the same stay.
    func use(_ accounts: [Account], exchanged: Set<ProviderAccount>) {
        state.withLock { state in
            state.accounts = accounts
            let kept = Set(accounts.map(\.account)).subtracting(exchanged)
            state.keys = state.keys.filter { kept.contains($0.key) }
            state.takeGivenKeys()
        }
    }

    /// The first of the provider's where a server says nothing, as of an earlier version, or names one that is not there any more.
    private func entry(of server: Server) -> Account? {
        state.withLock { state in
            let accounts = state.accounts.filter { $0.client.provider.name == server.provider }
            return accounts.first { $0.name == server.account } ?? accounts.first
        }
    }

    func resolvers(of server: Server) -> [String] {
        if let files, server.provider == files.provider { return files.resolvers(of: server) }
        return entry(of: server)?.facts.dns ?? []
    }

    func access(to server: Server) async throws -> TunnelAccess {
        if let files, server.provider == files.provider { return try files.access(to: server) }
        guard let entry = entry(of: server), server.account == nil || entry.name == server.account else {
            throw ExitFailure(reason: .credentialsMissing, detail: "the account \(server.holder) is not configured any more")
        }
        let key = try await privateKey(of: entry.account)
        return TunnelAccess(facts: entry.facts, privateKey: key, keyName: Self.name(of: key))
    }

    func privateKey(of account: ProviderAccount) async throws -> Secret {
        let (known, client) = state.withLock { state in
            (state.keys[account], state.accounts.first { $0.account == account }?.client)
        }
        guard let client else { throw ExitFailure(reason: .credentialsMissing, detail: "\(account) is not configured") }
        if let known, SystemClock.now() - known.at < 3600 { return known.key }
        let provider = account.provider
        // While the provider can't be asked, what it said last is as good as anything.
        guard breakers.begin(.account, provider) else {
            if let known { return known.key }
            throw pause(of: provider)
        }
        let begin = ContinuousClock.now
        do {
            let key = try await client.privateKey()
            breakers.succeed(.account, provider)
            state.withLock { $0.keys[account] = Known(key: key, name: Self.name(of: key), at: SystemClock.now()) }
            return key
        } catch let error as ProviderError {
            try note(error, of: account, after: (ContinuousClock.now - begin) / .seconds(1))
            if let known { return known.key }
            throw ExitFailure(reason: .providerUnavailable, detail: error.description)
        }
    }

    private func pause(of provider: ProviderName) -> ExitFailure {
        let breaker = breakers[.account, provider]
        let until = breaker.openUntil.map { ", and will be called again at \($0)" } ?? ""
        return ExitFailure(
            reason: .providerUnavailable, detail: "\(provider) gives no key (\(breaker.reason ?? "it failed recently"))\(until)")
    }

    /// - Throws: `ExitFailure` for a refusal of the token, which is an answer.
    private func note(_ error: ProviderError, of account: ProviderAccount, after seconds: Double) throws {
        let provider = account.provider
        if error.code == .credentialsRejected {
            breakers.succeed(.account, provider)
            let whose = account.name.map { " (account \($0))" } ?? ""
            throw ExitFailure(reason: .credentialsRejected, detail: error.description + whose)
        }
        let isTooMuch = error.code == .rateLimited || error.code == .blocked
        breakers.fail(
            .account, provider, error.message, after: seconds, atLeast: max(error.retryAfter ?? 0, isTooMuch ? Self.refusalSeconds : 0))
    }

    /// The shortest pause after a provider has had enough of us.
    private static let refusalSeconds = 300.0

    /// What a key is called where it must not be shown: made of the public key, so that it says nothing of the private one.
    fileprivate static func name(of key: Secret) -> String {
        let text = WireGuardKeys(privateKey: key)?.publicKey ?? "\(Digest.sha256(key.revealed))"
        return "key-\(Digest.sha256(text).prefix(12))"
    }
}

extension ProviderKeys.State {
    /// Keys that the configuration has itself are known at once.
    fileprivate mutating func takeGivenKeys() {
        for account in accounts {
            guard let key = account.client.givenKey else { continue }
            keys[account.account] = ProviderKeys.Known(key: key, name: ProviderKeys.name(of: key), at: SystemClock.now())
        }
    }
}
