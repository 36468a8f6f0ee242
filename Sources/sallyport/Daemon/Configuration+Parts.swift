import Catalog
import Control
import DockerEngine
import HAProxyControl
import HTTPTransport
import Planning
import Platform
import Providers

/// The configuration as each part takes it.
extension Configuration {
    /// - Parameter warrant: gives the lease's number, or throws where this controller may change no container.
    func exitContainers(
        client: HTTPClient, credentials: ExitCredentials? = nil, log: Log, warrant: @escaping @Sendable () throws -> Int = { 0 }
    ) throws -> ExitContainers {
        let refused = RefusedTargets(
            closedPorts: gateway.closedPorts, openPorts: gateway.openPorts, networks: gateway.refusedNetworks,
            neededPorts: portsOfOwnRequests, ownAddresses: Ports.localAddresses)
        return ExitContainers(
            engine: try EngineClient(address: docker.host, client: client),
            settings: .init(
                owner: docker.owner, image: docker.image, imageArchive: docker.imageArchive, network: docker.network, subnet: docker.subnet,
                gatewayNetwork: docker.gatewayNetwork, credentials: credentials, refused: refused),
            log: log, warrant: warrant)
    }

    var haproxySettings: HAProxyConfiguration.Settings {
        var settings = HAProxyConfiguration.Settings(
            gatewayAddress: gateway.address, gatewayPort: gateway.port, runDirectory: gateway.directory,
            luaFolder: "\(shareFolder)/haproxy/lua", clientLimit: gateway.clientLimit)
        settings.countryPorts = gateway.countryPorts
        settings.trustedPorts = gateway.trustedPorts
        settings.isStartedByUs = gateway.isStartedByUs
        settings.tlsPort = gateway.tlsPort
        settings.certificateSource = gateway.certificateFolder
        settings.closedPorts = gateway.closedPorts
        settings.openPorts = gateway.openPorts
        settings.refusedNetworks = gateway.refusedNetworks
        settings.accessLog = gateway.accessLog
        settings.sourceLimits = gateway.sourceLimits
        settings.holdSeconds = gateway.holdSeconds
        settings.group = gateway.group
        return settings
    }

    /// Nil where it is off.
    func accessLog(_ sharing: FileSharing, _ log: Log) -> AccessLog? {
        guard gateway.accessLog != .off else { return nil }
        return AccessLog(socket: haproxySettings.logSocket, sharing: sharing, file: "\(dataFolder)/access.log", log: log)
    }

    var catalogSettings: Catalog.Settings {
        var settings = Catalog.Settings(refreshSeconds: catalogRefreshSeconds)
        settings.countrySeconds = countrySeconds
        for provider in providers { settings.providerSeconds[provider.provider.name] = provider.refreshSeconds }
        return settings
    }

    var controllerSettings: ControllerSettings {
        var rules = Planner.Rules(drainSeconds: gateway.drainSeconds)
        rules.devices = deviceBudget
        rules.onDemand = onDemand
        var settings = ControllerSettings(
            rules: rules, probeSeconds: health.probeSeconds, deepSeconds: health.deepSeconds, checkName: verification.checkName)
        settings.countryMustMatch = verification.country == .strict
        settings.canaries.list = verification.canaries.list
        settings.canaries.seconds = verification.canaries.seconds
        settings.rules.retirement.replacesBlocked = verification.canaries.action == .replace
        let services = verification.services
        settings.probing.addressesPerDay = services.own.isEmpty ? services.sum : nil
        settings.probing.countriesPerDay = services.urls.isEmpty ? nil : services.sum
        return settings
    }
}
