import Control
import Model
import Platform
import Providers
import Synchronization

/// What the tunnels of each provider need.
final class ProviderKeys: TunnelKeys {
    private let entries: [(client: ProviderClient, facts: TunnelFacts)]
    /// Asked again after an hour: an account's key can be replaced.
    private let fetched = Mutex<[ProviderName: (key: Secret, at: Timestamp)]>([:])

    init(_ entries: [(client: ProviderClient, facts: TunnelFacts)]) { self.entries = entries }

    var providers: [ProviderName] { entries.map(\.client.provider.name) }

    private func entry(_ provider: ProviderName) -> (client: ProviderClient, facts: TunnelFacts)? {
        entries.first { $0.client.provider.name == provider }
    }

    func facts(of provider: ProviderName) -> TunnelFacts {
        entry(provider)?.facts ?? TunnelFacts(clientAddress: "", dns: [], mtu: 1380, keepalive: 25)
    }

    func privateKey(of provider: ProviderName) async throws -> Secret {
        if let known = fetched.withLock({ $0[provider] }), SystemClock.now() - known.at < 3600 { return known.key }
        guard let client = entry(provider)?.client else {
            throw ExitFailure(reason: .credentialsMissing, detail: "\(provider) is not configured")
        }
        do {
            let key = try await client.privateKey()
            fetched.withLock { $0[provider] = (key, SystemClock.now()) }
            return key
        } catch let error as ProviderError {
            let isRejected = error.code == .credentialsRejected
            // While the provider can't be asked, what it said last is as good as anything.
            if !isRejected, let known = fetched.withLock({ $0[provider] }) { return known.key }
            throw ExitFailure(reason: isRejected ? .credentialsRejected : .credentialsMissing, detail: error.description)
        }
    }
}
