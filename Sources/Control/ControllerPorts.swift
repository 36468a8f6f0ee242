package import Model
package import Platform

/// The adapters that a `Controller` works with.
package struct ControllerPorts: Sendable {
    package var engine: any ExitEngine
    package var gateway: any Gateway
    package var store: any StateStore
    package var catalog: any ServerCatalog
    package var keys: any TunnelKeys
    package var prober: any ExitProber
    /// Nil where servers are tried by exits alone.
    package var handshakes: (any ServerHandshakes)?
    package var leadership: Leadership
    /// Carries operators' changes to the controller that leads; nil where no other one can be.
    package var orders: (any OrderRelay)?
    package var log: Log
    package var now: @Sendable () -> Timestamp
    /// Alerts that others stand for, asked at each pass.
    package var reports: @Sendable () -> [Alert]

    package init(
        engine: any ExitEngine, gateway: any Gateway, store: any StateStore, catalog: any ServerCatalog, keys: any TunnelKeys,
        prober: any ExitProber, handshakes: (any ServerHandshakes)? = nil, leadership: Leadership = .alone,
        orders: (any OrderRelay)? = nil, log: Log, now: @escaping @Sendable () -> Timestamp = SystemClock.now,
        reports: @escaping @Sendable () -> [Alert] = { [] }
    ) {
        self.engine = engine
        self.gateway = gateway
        self.store = store
        self.catalog = catalog
        self.keys = keys
        self.prober = prober
        self.handshakes = handshakes
        self.leadership = leadership
        self.orders = orders
        self.log = log
        self.now = now
        self.reports = reports
    }
}
