import Catalog
import Control
import HTTPTransport
import Latency
import Model
import Planning
import Platform
import Providers

/// Asks servers for a handshake with each account's key: those of different countries that no exit holds, for a handshake would take an
/// exit's tunnel over.
struct KeyCheck: Sendable {
    private let doctor: Doctor
    private let keys: ProviderKeys
    private let files: WireGuardServers?
    private let latency: LatencyMeasurement

    /// Servers that are asked for one account.
    private static let most = 12

    init(_ doctor: Doctor) {
        self.doctor = doctor
        files = doctor.configuration.wireGuard.map { WireGuardServers($0, log: .none) }
        keys = ProviderKeys(ServerParts.accounts(doctor.configuration, doctor.client), files: files)
        latency = LatencyMeasurement(keys: keys)
    }

    /// WireGuard files are one: each has a key, and one that is accepted shows that the way is free.
    var accounts: [ProviderAccount] {
        let named = doctor.configuration.providers.flatMap { settings in
            settings.accounts.map { ProviderAccount(settings.provider.name, $0.name) }
        }
        return named + (files.map { [ProviderAccount($0.provider, nil)] } ?? [])
    }

    func facts(of account: ProviderAccount) async -> KeyFacts {
        var facts = KeyFacts(account: "\(account)")
        do {
            if files?.provider != account.provider { _ = try await keys.privateKey(of: account) }
            let (exits, stored) = await (doctor.exits.value, doctor.store.value)
            guard let held = exits.held else {
                facts.mayAsk = false
                return facts
            }
            let servers = try await sample(of: account, without: held.union(stored.held))
            facts.asked = servers.count
            facts.accepted = try await latency.measureByHandshake(servers, HandshakeProbe(again: 250, timeout: 1500, isHasty: true)).count
            if facts.accepted == 0, !servers.isEmpty { facts.reachable = (try? await latency.measure(servers, .auto).count) ?? 0 }
        } catch let error as ExitFailure {
            facts.trouble = error.detail
        } catch {
            (facts.trouble, facts.remedy) = ("\(error)", "see to the provider's check first")
        }
        return facts
    }

    /// The least loaded of each country, with addresses, and as the account's own.
    private func sample(of account: ProviderAccount, without held: Set<String>) async throws -> [Server] {
        let listed = try await list(of: account.provider).filter { !held.contains($0.address) }
        var countries: Set<CountryCode> = []
        let byLoad = listed.sorted { ($0.load ?? 100, $0.hostname) < ($1.load ?? 100, $1.hostname) }
        var chosen = Array(byLoad.filter { countries.insert($0.country).inserted }.prefix(Self.most))
        let addresses = await NameResolver.addresses(of: chosen.filter(\.needsResolving).map(\.address))
        for index in chosen.indices {
            chosen[index].account = account.name
            if let address = addresses[chosen[index].address] { chosen[index].address = address }
        }
        return chosen.filter { !$0.needsResolving && !held.contains($0.address) }
    }

    /// As a controller has stored it, so that the provider is not asked for it again; else its own.
    private func list(of provider: ProviderName) async throws -> [Server] {
        if let files, provider == files.provider { return try await servers(files) }
        if let store = await doctor.store.value.store, let listing = try? await RedisListings(store: store).listing(of: provider) {
            return listing.servers
        }
        guard let settings = doctor.configuration.providers.first(where: { $0.provider.name == provider }) else { return [] }
        return try await servers(ProviderSource(client: ServerParts.client(settings, credentials: nil, doctor.client)))
    }

    private func servers(_ source: some ServerSource) async throws -> [Server] {
        guard case .list(let servers, _, _) = try await source.list(newerThan: nil) else { return [] }
        return servers
    }
}
