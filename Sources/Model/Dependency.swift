/// What a controller depends on: adapters, this machine's way to the internet (`host`), and its own loop. Each has answered when it was last
/// checked, or is in trouble. The raw values are names in `/health/ready` and in alerts.
package enum Dependency: String, Sendable, CaseIterable { case engine, gateway, store, catalog, host, loop }
