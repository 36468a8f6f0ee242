import API
import HTTPServing
import Model
import Planning
import Platform
import Providers

extension Configuration {
    /// Every setting as it is in force, secrets masked.
    var description: String {
        var lines = [
            "data_dir: \(dataFolder)",
            "share_dir: \(shareFolder)",
            "root_key_file: \(rootKeyFile)",
            "log: {level: \(logLevel), format: \(logFormat.rawValue)}",
            "api: {address: \(api.address), port: \(api.port)}",
            "api.limits: {requests: \(api.serving.requests), strict_requests: \(api.serving.strictRequests), failed_keys: \(api.serving.failedKeys), window_seconds: \(api.serving.windowSeconds)}",
            "api.trusted_proxies: [\(api.serving.trustedProxies.map(\.description).joined(separator: ", "))]",
            "api.allowed_networks: [\(api.serving.allowedNetworks.map(\.description).joined(separator: ", "))]",
            "api.origins: [\(api.serving.origins.joined(separator: ", "))]",
            "api.log_requests: \(api.serving.logsRequests)",
            "api.metrics_user_names: \(api.serving.showsUserNames)",
            "api.audit: {requests: \(api.serving.auditsRequests), retention_days: \(Int(api.auditRetentionDays))}",
            "api.connections: \(api.limits.connections)",
            "api.connections_per_address: \(api.limits.connectionsPerAddress)",
            "api.streams: \(api.serving.streams)",
            "api.streams_per_key: \(api.serving.streamsPerKey)",
            "gateway:",
            "  address: \(gateway.address)",
            "  port: \(gateway.port)",
            "  directory: \(gateway.directory)",
            "  country_ports: \(gateway.countryPorts ?? 0)",
            "  trusted_ports: \(gateway.trustedPorts ?? 0)",
            "  tls_port: \(gateway.tlsPort ?? 0)",
            "  tls_certificates: \(gateway.certificateFolder ?? "none")",
            "  closed_ports: \(gateway.closedPorts)",
            "  open_ports: \(gateway.openPorts)",
            "  refused_networks: [\(gateway.refusedNetworks.joined(separator: ", "))]",
            "  access_log: \(gateway.accessLog.rawValue)",
            "  client_limit: \(gateway.clientLimit)",
            "  pending_limit: \(gateway.pendingLimit)",
            "  tls_limit: \(gateway.tlsLimit)",
            "  drain_seconds: \(gateway.drainSeconds)",
            "  start: \(gateway.isStartedByUs)",
        ]
        if let traefik {
            lines += [
                "traefik: {directory: \(traefik.folder), domain: \(traefik.domain), api_host: \(traefik.apiHost), api_url: \(traefik.apiURL)}",
                "traefik.gateway: {gateway_host: \(traefik.gatewayHost), entry_point: \(traefik.entryPoint), cert_resolver: \(traefik.resolver ?? "none"), certificate: \(traefik.certificateFile ?? "none"), key: \(traefik.keyFile ?? "none")}",
            ]
        } else {
            lines.append("traefik: none")
        }
        lines += [
            "docker:",
            "  host: \(docker.host)",
            "  owner: \(docker.owner)",
            "  network: \(docker.network)",
            "  subnet: \(docker.subnet ?? "chosen by the engine")",
            "  gateway_network: \(docker.gatewayNetwork ?? "the network's gateway")",
            "  image: \(docker.image)",
            "  image_archive: \(docker.imageArchive ?? "none")",
            "redis: {url: \(redis.map { "\($0)" } ?? "private, in data_dir"), shared: \(redisIsShared), prefix: \(redisPrefix)}",
            "health: {probe_seconds: \(health.probeSeconds), deep_seconds: \(health.deepSeconds)}",
            "webhooks: {allow_private: \(webhooks.allowsPrivate), allow_http: \(webhooks.allowsPlainHTTP), timeout_seconds: \(webhooks.deadline), longest_pause_seconds: \(webhooks.longestPause), disable_after_seconds: \(webhooks.disableAfter), ca_file: \(webhooks.authorityFile ?? "none")}",
            "catalog: {refresh_seconds: \(catalogRefreshSeconds)}",
            "verification: {urls: [\(verification.urls.joined(separator: ", "))], check_name: \(verification.checkName), country: \(verification.country.rawValue)}",
            "speed_test: {url: '\(speedTestURL)'}",
        ]
        lines.append("providers:")
        for settings in providers {
            lines += ["  \(settings.provider.name):", "    api_url: \(settings.apiURL)", "    list_path: \(settings.listPath)"]
            switch settings.credentials {
            case .accessToken(let token): lines.append("    access_token: \(token)")
            case .privateKey(let key): lines.append("    private_key: \(key)")
            case .none: lines.append("    credentials: none")
            }
            lines.append("    address: \(settings.facts.clientAddress)")
            lines.append("    port: \(settings.options.port ?? settings.provider.port)")
            lines.append("    dns: [\(settings.facts.dns.joined(separator: ", "))]")
            lines.append("    mtu: \(settings.facts.mtu)")
            lines.append("    keepalive: \(settings.facts.keepalive)")
            if let key = settings.facts.presharedKey { lines.append("    preshared_key: \(key)") }
            if let file = settings.authorityFile { lines.append("    ca_file: \(file)") }
            lines.append("    devices: \(settings.devices ?? 0)")
            lines.append("    include: [\(settings.options.included.map(\.rawValue).sorted().joined(separator: ", "))]")
        }
        for key in api.keys { lines.append("api.keys.\(key.name): {role: \(key.role.rawValue)}") }
        return lines.joined(separator: "\n")
    }
}
