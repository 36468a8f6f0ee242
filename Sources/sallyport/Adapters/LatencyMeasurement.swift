import Control
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
        let targets = try await targets(servers)
        // Each key has a wait of its own for those who are silent.
        try await withThrowingTaskGroup(of: [String: HandshakeProbe.Answer].self) { group in
            for (key, targets) in targets { group.addTask { try await handshakes.measure(targets, privateKey: key) } }
            for try await answers in group { times.merge(answers.mapValues(\.milliseconds)) { $1 } }
        }
        return times
    }

    /// By the private key that they are asked with.
    private func targets(_ servers: [Server]) async throws -> [Secret: [HandshakeProbe.Target]] {
        var targets: [Secret: [HandshakeProbe.Target]] = [:]
        for server in servers {
            let access: TunnelAccess
            // A file that has gone since costs its own answer alone.
            do { access = try await keys.access(to: server) } catch  where server.account != nil { continue }
            targets[access.privateKey, default: []].append(
                HandshakeProbe.Target(
                    name: server.hostname, address: server.address, port: server.port, publicKey: server.publicKey,
                    presharedKey: access.facts.presharedKey))
        }
        return targets
    }
}
