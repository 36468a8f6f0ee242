import HAProxyControl
import Model
import Planning
import Platform

/// Names a port that somebody else has, before anything is started.
struct PortCheck: Sendable {
    private let configuration: Configuration
    private let gateway: HAProxyGateway

    init(_ configuration: Configuration, gateway: HAProxyGateway) { (self.configuration, self.gateway) = (configuration, gateway) }

    /// - Throws: `StartError`, with the setting to change.
    func run() async throws {
        try await checkGateway()
        do { try Ports.check(configuration.api.address, configuration.api.port) } catch {
            throw StartError(message: "the API \(error); set api.port")
        }
        guard let echo = configuration.verification.echo else { return }
        do { try Ports.check(echo.address, echo.port) } catch {
            throw StartError(message: "the echo of addresses \(error); set verification.echo_port")
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

    /// Those that are known before the pools are; one of a country stays closed with a warning.
    private func checkGatewayPorts() throws {
        let gateway = configuration.gateway
        var ports = [("port", gateway.port)]
        if let port = gateway.tlsPort, gateway.certificateFolder != nil { ports.append(("tls_port", port)) }
        if let base = gateway.trustedPorts {
            ports += [HAProxyConfiguration.generalOffset, HAProxyConfiguration.anyOffset].map { ("trusted_ports", base + $0) }
        }
        for (setting, port) in ports {
            do { try Ports.check(gateway.address, port) } catch {
                throw StartError(message: "the gateway \(error); set gateway.\(setting)")
            }
        }
    }
}
