import Control
import Model
import Planning
import Platform

/// Keeps Traefik's dynamic file equal to the countries that exist. Traefik watches its folder, and needs no restart.
struct TraefikFile: Sendable {
    let settings: TraefikConfiguration.Settings
    let log: Log

    /// Looks twice a second, until it is cancelled; writes only what differs.
    func follow(_ controller: Controller) async {
        var problem = ""
        while !Task.isCancelled {
            let snapshot = controller.snapshot
            // Before the store was read there seem to be no countries: their routers must outlive our own restart.
            if snapshot.hasObserved || !snapshot.desired.pools.isEmpty {
                do {
                    try await Blocking.run { try write(Self.countries(of: snapshot)) }
                    problem = ""
                } catch {
                    if problem != "\(error)" { log.warning("Traefik's file is not written", ["error": "\(error)"]) }
                    problem = "\(error)"
                }
            }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    private static func countries(of snapshot: Snapshot) -> [CountryCode] {
        GatewayLayout.of(desired: snapshot.desired, exits: snapshot.exits).pools.map(\.country)
    }

    func write(_ countries: [CountryCode]) throws {
        let text = TraefikConfiguration(settings).text(of: countries)
        guard (try? Files.read(settings.file)) != text else { return }
        // Traefik may be another user; there is no secret in it.
        try Files.write(text, to: settings.file, mode: 0o644)
        log.info("wrote Traefik's file", ["countries": countries.map(\.lowercased).joined(separator: " ")])
    }
}
