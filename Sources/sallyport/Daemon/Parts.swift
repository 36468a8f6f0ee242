import Catalog
import Control
import DockerEngine
import HAProxyControl
import HTTPTransport
import Model
import Platform

/// Every concrete part of a controller, made from the configuration and wired to each other. `ControllerServices` runs them.
struct Parts: Sendable {
    let configuration: Configuration
    let log: Log
    /// What this process has found by itself.
    let alertReporter: AlertReporter
    let client: HTTPClient
    let storage: StoreParts
    let servers: ServerParts
    /// What exits ask for.
    let credentials: ExitCredentials
    let exits: ExitContainers
    let gateway: HAProxyGateway
    let accessLog: AccessLog?
    let traefik: TraefikFile?
    let prober: HTTPProber
    let controller: Controller
    let meter: UsageMeter

    init(_ configuration: Configuration, log: Log) throws {
        let (alertReporter, client) = (AlertReporter(), HTTPClient())
        let storage = try StoreParts(configuration, alertReporter: alertReporter, log: log)
        let credentials = ExitCredentials(root: storage.rootKey)
        let servers = ServerParts(configuration, client: client, store: storage.store, log: log)
        let warrant: @Sendable () throws -> Int = { try storage.warrant() }
        (self.configuration, self.log, self.alertReporter, self.client) = (configuration, log, alertReporter, client)
        (self.storage, self.servers, self.credentials) = (storage, servers, credentials)
        exits = try configuration.exitContainers(client: client, credentials: credentials, log: log, warrant: warrant)
        gateway = try HAProxyGateway(
            share: "\(configuration.shareFolder)/haproxy", settings: configuration.haproxySettings, credentials: credentials, log: log,
            warrant: { _ = try warrant() })
        accessLog = configuration.accessLog(gateway.sharing, log)
        traefik = configuration.traefik.map { TraefikFile(settings: $0, log: log) }
        let verification = configuration.verification
        prober = HTTPProber(
            client: client, services: AddressServices(verification.services, log: log), checkName: verification.checkName,
            credentials: credentials, log: log)
        let reports: @Sendable () -> [Alert] = { [gateway, accessLog] in
            gateway.guessAlerts + [accessLog?.alert].compactMap(\.self) + servers.alerts
        }
        let controller = Controller(
            ports: .init(
                engine: DockerExits(containers: exits), gateway: gateway, store: storage.state,
                catalog: PoolServers(catalog: servers.catalog),
                keys: servers.keys, prober: prober,
                handshakes: HandshakeQuestions(catalog: servers.catalog, measurement: servers.latency), leadership: storage.leadership,
                commands: storage.commands(configuration, alertReporter: alertReporter), log: log, reports: reports),
            settings: configuration.controllerSettings)
        self.controller = controller
        servers.fetchThroughExits(of: controller, credentials: credentials)
        meter = UsageMeter(source: gateway, store: storage.usage, controller: controller, log: log)
    }

    /// Closes all connections. Nothing may use them any more.
    func close() async {
        client.close()
        await storage.close()
    }
}
