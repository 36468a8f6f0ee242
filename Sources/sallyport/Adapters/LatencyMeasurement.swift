import Latency
import Model
import Providers

/// Every way to measure servers, behind one call.
struct LatencyMeasurement: Sendable {
    let fping = Fping()
    let tcp = TCPProbe()
    let handshakes = HandshakeProbe()
    let keys: ProviderKeys

    /// Milliseconds by host name.
    func measure(_ servers: [Server], _ method: LatencyMethod) async throws -> [String: Double] {
        switch method {
        case .wireguard: return try await measureByHandshake(servers, handshakes)
        case .fping: return named(try await fping.measure(addresses(servers)), servers)
        case .tcp: return named(try await tcp.measure(addresses(servers)), servers)
        case .auto:
            var times: [String: Double] = [:]
            var problem: (any Error)?
            do { times = try await fping.measure(addresses(servers)) } catch { problem = error }
            let silent = addresses(servers).filter { times[$0] == nil }
            // Without `fping`, connections are all that there is; with it, they are for those that answer no echo.
            times.merge(try await tcp.measure(silent)) { $1 }
            if times.isEmpty, let problem { throw problem }
            return named(times, servers)
        }
    }

    private func addresses(_ servers: [Server]) -> [String] { Array(Set(servers.map(\.address))).sorted() }

    private func named(_ times: [String: Double], _ servers: [Server]) -> [String: Double] {
        var named: [String: Double] = [:]
        for server in servers { named[server.hostname] = times[server.address] }
        return named
    }

    func measureByHandshake(_ servers: [Server], _ handshakes: HandshakeProbe) async throws -> [String: Double] {
        var times: [String: Double] = [:]
        for (provider, servers) in Dictionary(grouping: servers, by: \.provider) {
            let shared = keys.facts(of: provider).presharedKey
            let targets = servers.map {
                HandshakeProbe.Target(
                    name: $0.hostname, address: $0.address, port: $0.port, publicKey: $0.publicKey, presharedKey: shared)
            }
            let answers = try await handshakes.measure(targets, privateKey: try await keys.privateKey(of: provider))
            times.merge(answers.mapValues(\.milliseconds)) { $1 }
        }
        return times
    }
}
