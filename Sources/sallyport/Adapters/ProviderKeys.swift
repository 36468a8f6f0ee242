import Catalog
import Control
import Model
import Planning
import Platform
import Providers
import Synchronization

/// What the tunnels of each provider need.
final class ProviderKeys: TunnelKeys {
    private let entries: [(client: ProviderClient, facts: TunnelFacts)]
    /// Asked again after an hour: an account's key can be replaced.
    private let fetched = Mutex<[ProviderName: (key: Secret, at: Timestamp)]>([:])

    private let breakers: ProviderBreakers
    /// Where each server is an account of its own.
    private let files: WireGuardServers?

    init(
        _ entries: [(client: ProviderClient, facts: TunnelFacts)], files: WireGuardServers? = nil,
        breakers: ProviderBreakers = ProviderBreakers()
    ) {
        self.entries = entries
        self.files = files
        self.breakers = breakers
    }

    var providers: [ProviderName] { entries.map(\.client.provider.name) + (files.map { [$0.provider] } ?? []) }

    private func entry(_ provider: ProviderName) -> (client: ProviderClient, facts: TunnelFacts)? {
        entries.first { $0.client.provider.name == provider }
    }

    func resolvers(of server: Server) -> [String] {
        if let files, server.provider == files.provider { return files.resolvers(of: server) }
        return entry(server.provider)?.facts.dns ?? []
    }

    func access(to server: Server) async throws -> TunnelAccess {
        if let files, server.provider == files.provider { return try files.access(to: server) }
        let key = try await privateKey(of: server.provider)
        let facts = entry(server.provider)?.facts ?? TunnelFacts(clientAddress: "", dns: [], mtu: 1380, keepalive: 25)
        return TunnelAccess(facts: facts, privateKey: key)
    }

    func privateKey(of provider: ProviderName) async throws -> Secret {
        if let known = fetched.withLock({ $0[provider] }), SystemClock.now() - known.at < 3600 { return known.key }
        guard let client = entry(provider)?.client else {
            throw ExitFailure(reason: .credentialsMissing, detail: "\(provider) is not configured")
        }
        // While the provider can't be asked, what it said last is as good as anything.
        let known = fetched.withLock { $0[provider]?.key }
        guard breakers.begin(.account, provider) else {
            if let known { return known }
            throw pause(of: provider)
        }
        let begin = ContinuousClock.now
        do {
            let key = try await client.privateKey()
            breakers.succeed(.account, provider)
            fetched.withLock { $0[provider] = (key, SystemClock.now()) }
            return key
        } catch let error as ProviderError {
            try note(error, of: provider, after: (ContinuousClock.now - begin) / .seconds(1))
            if let known { return known }
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
    private func note(_ error: ProviderError, of provider: ProviderName, after seconds: Double) throws {
        if error.code == .credentialsRejected {
            breakers.succeed(.account, provider)
            throw ExitFailure(reason: .credentialsRejected, detail: error.description)
        }
        let isTooMuch = error.code == .rateLimited || error.code == .blocked
        breakers.fail(
            .account, provider, error.message, after: seconds, atLeast: max(error.retryAfter ?? 0, isTooMuch ? Self.refusalSeconds : 0))
    }

    /// The shortest pause after a provider has had enough of us.
    private static let refusalSeconds = 300.0
}
