import Catalog
import Control
import Latency
import Model
import Planning

/// Handshakes of this machine, for the loop that looks for a server.
struct HandshakeQuestions: ServerHandshakes {
    let catalog: Catalog
    let measurement: LatencyMeasurement
    private let handshakes = HandshakeProbe(again: 250, timeout: 800, isHasty: true)

    func accepted(by servers: [Server]) async -> Set<String>? {
        guard let answers = try? await measurement.measureByHandshake(servers, handshakes) else { return nil }
        return Set(answers.keys)
    }

    func reachable(_ servers: [Server]) async -> Set<String> {
        Set(((try? await measurement.measure(servers, .auto)) ?? [:]).keys)
    }

    func sample(of provider: ProviderName, limit: Int) async -> [Server] {
        let servers = ((try? await catalog.snapshot())?.servers ?? []).filter { $0.provider == provider && !$0.needsResolving }
        var countries: Set<CountryCode> = []
        return Array(servers.filter { countries.insert($0.country).inserted }.prefix(limit))
    }

    init(catalog: Catalog, measurement: LatencyMeasurement) {
        self.catalog = catalog
        self.measurement = measurement
    }
}
