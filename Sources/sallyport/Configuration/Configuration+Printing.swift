import API
import AccessControl
import HTTPServing
import Model
import Planning
import Platform
import Providers
import RequestPipeline

extension Configuration {
    /// Every setting as it is in force, a line each, secrets masked.
    var description: String { entries.map { "\($0.name): \($0.value)" }.joined(separator: "\n") }

    /// The same, each with where its value comes from.
    var settings: [SettingView] {
        entries.map { entry in
            let found = entry.name == "docker.host" ? docker.origin : nil
            return SettingView(name: entry.name, value: entry.value, from: found ?? origins.origin(of: entry.name))
        }
    }

    private typealias Entry = (name: String, value: String)

    private var entries: [Entry] {
        let own: [Entry] = [
            ("data_dir", dataFolder), ("share_dir", shareFolder), ("root_key_file", rootKeyFile), ("log.level", "\(logLevel)"),
            ("log.format", logFormat.rawValue),
        ]
        return own + apiEntries + gatewayEntries + traefikEntries + dockerEntries + otherEntries + providers.flatMap(Self.entries)
            + verificationEntries + wireGuardEntries
            + api.keys.map { ("api.keys.\($0.name)", "{role: \($0.role.rawValue)}") }
    }

    private static func list(_ items: some Sequence<some CustomStringConvertible>) -> String {
        "[\(items.map(\.description).joined(separator: ", "))]"
    }

    private var apiEntries: [Entry] {
        let serving = api.serving
        return [
            ("api.address", api.address), ("api.port", "\(api.port)"), ("api.limits.requests", "\(serving.requests)"),
            ("api.limits.strict_requests", "\(serving.strictRequests)"), ("api.limits.failed_keys", "\(serving.failedKeys)"),
            ("api.limits.window_seconds", "\(serving.windowSeconds)"), ("api.trusted_proxies", Self.list(serving.trustedProxies)),
            ("api.allowed_networks", Self.list(serving.allowedNetworks)), ("api.origins", Self.list(serving.origins)),
            ("api.log_requests", "\(serving.logsRequests)"), ("api.metrics_user_names", "\(serving.showsUserNames)"),
            ("api.audit.requests", "\(serving.auditsRequests)"), ("api.audit.retention_days", "\(Int(api.auditRetentionDays))"),
            ("api.connections", "\(api.limits.connections)"), ("api.connections_per_address", "\(api.limits.connectionsPerAddress)"),
            ("api.streams", "\(serving.streams)"), ("api.streams_per_key", "\(serving.streamsPerKey)"),
            ("api.session_seconds", "\(serving.sessions.seconds)"), ("api.session_idle_seconds", "\(serving.sessions.idleSeconds)"),
            ("api.dashboard", "\(api.showsDashboard)"),
        ]
    }

    private var gatewayEntries: [Entry] {
        [
            ("gateway.address", gateway.address), ("gateway.port", "\(gateway.port)"), ("gateway.directory", gateway.directory),
            ("gateway.group", gateway.group ?? "none"),
            ("gateway.country_ports", "\(gateway.countryPorts ?? 0)"), ("gateway.trusted_ports", "\(gateway.trustedPorts ?? 0)"),
            ("gateway.tls_port", "\(gateway.tlsPort ?? 0)"), ("gateway.tls_certificates", gateway.certificateFolder ?? "none"),
            ("gateway.closed_ports", "\(gateway.closedPorts)"), ("gateway.open_ports", "\(gateway.openPorts)"),
            ("gateway.refused_networks", Self.list(gateway.refusedNetworks)), ("gateway.access_log", gateway.accessLog.rawValue),
            ("gateway.client_limit", "\(gateway.clientLimit)"), ("gateway.pending_limit", "\(gateway.sourceLimits.pending)"),
            ("gateway.tls_limit", "\(gateway.sourceLimits.tls)"),
            ("gateway.failed_passwords", "\(gateway.sourceLimits.failedPasswords)"), ("gateway.drain_seconds", "\(gateway.drainSeconds)"),
            ("gateway.hold_seconds", "\(gateway.holdSeconds)"),
            ("gateway.start", "\(gateway.isStartedByUs)"),
        ]
    }

    private var traefikEntries: [Entry] {
        guard let traefik else { return [("traefik.directory", "none")] }
        return [
            ("traefik.directory", traefik.folder), ("traefik.domain", traefik.domain), ("traefik.api_host", traefik.apiHost),
            ("traefik.api_url", traefik.apiURL), ("traefik.gateway_host", traefik.gatewayHost), ("traefik.entry_point", traefik.entryPoint),
            ("traefik.cert_resolver", traefik.resolver ?? "none"), ("traefik.certificate", traefik.certificateFile ?? "none"),
            ("traefik.key", traefik.keyFile ?? "none"),
        ]
    }

    private var dockerEntries: [Entry] {
        [
            ("docker.host", docker.host), ("docker.owner", docker.owner), ("docker.network", docker.network),
            ("docker.subnet", docker.subnet ?? "chosen by the engine"),
            ("docker.gateway_network", docker.gatewayNetwork ?? "the network's gateway"), ("docker.image", docker.image),
            ("docker.image_archive", docker.imageArchive ?? "none"),
        ]
    }

    private var otherEntries: [Entry] {
        [
            ("redis.url", redis.map { "\($0)" } ?? "private, in data_dir"), ("redis.shared", "\(redisIsShared)"),
            ("redis.prefix", redisPrefix), ("health.probe_seconds", "\(health.probeSeconds)"),
            ("health.deep_seconds", "\(health.deepSeconds)"),
            ("on_demand.countries", onDemandCountries), ("on_demand.idle_minutes", Figures.decimal(onDemand.idleSeconds / 60, digits: 2)),
            ("on_demand.openings_per_minute", "\(onDemand.openingsPerMinute)"), ("webhooks.allow_private", "\(webhooks.allowsPrivate)"),
            ("webhooks.allow_http", "\(webhooks.allowsPlainHTTP)"), ("webhooks.timeout_seconds", "\(webhooks.deadline)"),
            ("webhooks.longest_pause_seconds", "\(webhooks.longestPause)"),
            ("webhooks.disable_after_seconds", "\(webhooks.disableAfter)"), ("webhooks.give_up_after", "\(webhooks.giveUpAfter)"),
            ("webhooks.ca_file", webhooks.authorityFile ?? "none"),
            ("catalog.refresh_seconds", "\(catalogRefreshSeconds)"),
            (
                "catalog.country_seconds",
                Self.list(countrySeconds.sorted { $0.key < $1.key }.map { "\($0.key.lowercased): \(Int($0.value))" })
            ),
            ("speed_test.url", speedTestURL),
        ]
    }

    private var onDemandCountries: String {
        switch onDemand.countries {
        case .none: "none"
        case .all: "all"
        case .some(let countries): Self.list(countries.map(\.lowercased).sorted())
        }
    }

    private var verificationEntries: [Entry] {
        let services = verification.services
        let budgets = services.perDayOf.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        return [
            ("urls", Self.list(services.urls)), ("own_urls", Self.list(services.own)), ("requests_per_day", "\(services.perDay)"),
            ("budgets", Self.list(budgets)), ("check_name", verification.checkName), ("country", verification.country.rawValue),
            ("echo_address", verification.echo?.address ?? "0.0.0.0"), ("echo_port", "\(verification.echo?.port ?? 0)"),
            ("canary_seconds", "\(verification.canaries.seconds)"), ("canary_action", verification.canaries.action.rawValue),
            ("canaries", Self.list(verification.canaries.list.map { "\($0.name): \(AddressServices.name($0.url))" })),
        ].map { ("verification.\($0.0)", $0.1) }
    }

    private var wireGuardEntries: [Entry] {
        guard let wireGuard else { return [] }
        return [
            ("directory", wireGuard.folder), ("devices", "\(wireGuard.devices)"), ("dns", Self.list(wireGuard.facts.dns)),
            ("mtu", "\(wireGuard.facts.mtu)"), ("keepalive", "\(wireGuard.facts.keepalive)"),
        ].map { ("providers.wireguard.\($0.0)", $0.1) }
    }

    private static func entries(of settings: ProviderSettings) -> [Entry] {
        var entries: [Entry] = [("api_url", settings.apiURL), ("list_path", settings.listPath)]
        for account in settings.accounts {
            let prefix = account.name.map { "accounts.\($0)." } ?? ""
            entries += Self.entries(of: account).map { ("\(prefix)\($0.name)", $0.value) }
        }
        entries.append(("port", "\(settings.options.port ?? settings.provider.port)"))
        if let file = settings.authorityFile { entries.append(("ca_file", file)) }
        entries += [
            ("refresh_seconds", settings.refreshSeconds.map { "\($0)" } ?? "catalog.refresh_seconds"),
            ("include", list(settings.options.included.map(\.rawValue).sorted())),
        ]
        return entries.map { ("providers.\(settings.provider.name).\($0.name)", $0.value) }
    }

    private static func entries(of account: AccountSettings) -> [Entry] {
        var entries: [Entry] = []
        switch account.credentials {
        case .accessToken(let token): entries.append(("access_token", "\(token)"))
        case .privateKey(let key): entries.append(("private_key", "\(key)"))
        case .none: entries.append(("credentials", "none"))
        }
        entries += [
            ("address", account.facts.clientAddress6.map { list([account.facts.clientAddress, $0]) } ?? account.facts.clientAddress),
            ("dns", list(account.facts.dns)), ("mtu", "\(account.facts.mtu)"),
            ("keepalive", "\(account.facts.keepalive)"),
        ]
        if let key = account.facts.presharedKey { entries.append(("preshared_key", "\(key)")) }
        entries.append(("devices", "\(account.devices ?? 0)"))
        return entries
    }
}
