import HAProxyControl
import Model

/// Names a port that somebody else has, before anything is started.
struct PortCheck: Sendable {
    private let configuration: Configuration
    private let gateway: HAProxyGateway

    init(_ configuration: Configuration, gateway: HAProxyGateway) { (self.configuration, self.gateway) = (configuration, gateway) }

    /// - Throws: `StartError`, with the setting to change.
    func run() async throws {
        try await checkGateway()
        for port in configuration.ownPorts {
            try PortFacts.judge([PortFacts(port.user, port.setting, port.endpoint.address, port.endpoint.port)]).refuseFault()
        }
    }

    private func checkGateway() async throws {
        // An HAProxy that another controller starts or reloads at this moment has the port, and does not answer yet.
        let end = ContinuousClock.now + .seconds(configuration.redisIsShared ? 5 : 0)
        while true {
            if await gateway.isThere() || !configuration.gateway.isStartedByUs { return }
            do { return try checkGatewayPorts() } catch { guard ContinuousClock.now < end else { throw error } }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    private func checkGatewayPorts() throws {
        for port in configuration.gatewayPorts {
            try PortFacts.judge([PortFacts("the gateway", port.setting, configuration.gateway.address, port.port)]).refuseFault()
        }
    }
}
