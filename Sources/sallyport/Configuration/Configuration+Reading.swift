import DockerEngine
import Glibc
import Model
import Planning
import Platform
import Providers
import RedisStore
import WireGuardFiles

extension Configuration {
    /// The settings that the environment can set: `api.port` by `SALLYPORT_API_PORT`. The environment wins over the file.
    static let environmentPaths =
        [
            "data_dir", "share_dir", "root_key_file", "log.level", "log.format", "api.address", "api.port", "api.log_requests",
            "api.metrics_user_names", "api.streams", "api.streams_per_key", "api.dashboard",
            "api.session_seconds", "api.session_idle_seconds",
            "api.trusted_proxies", "api.allowed_networks", "api.origins", "verification.urls",
            "api.limits.requests", "api.limits.strict_requests", "api.limits.failed_keys", "api.limits.window_seconds", "api.connections",
            "api.connections_per_address", "api.audit.requests", "api.audit.retention_days", "gateway.address", "gateway.port",
            "gateway.directory", "gateway.group", "gateway.client_limit", "gateway.pending_limit", "gateway.tls_limit",
            "gateway.failed_passwords",
            "gateway.hold_seconds",
            "gateway.drain_seconds",
            "gateway.country_ports",
            "gateway.trusted_ports", "gateway.tls_port", "gateway.tls_certificates", "gateway.access_log",
            "gateway.start", "traefik.directory", "traefik.domain", "traefik.api_host", "traefik.api_url", "traefik.gateway_host",
            "traefik.entry_point", "traefik.cert_resolver", "traefik.certificate", "traefik.key", "docker.gateway_network",
            "docker.host", "docker.owner", "docker.network",
            "docker.subnet",
            "docker.image",
            "docker.image_archive", "redis.url", "redis.shared", "redis.prefix", "catalog.refresh_seconds", "verification.check_name",
            "verification.country",
            "verification.own_urls", "verification.requests_per_day", "verification.echo_address", "verification.echo_port",
            "verification.canary_seconds", "verification.canary_action",
            "speed_test.url", "webhooks.allow_private", "webhooks.allow_http", "webhooks.timeout_seconds",
            "webhooks.longest_pause_seconds", "webhooks.disable_after_seconds", "webhooks.give_up_after", "webhooks.ca_file",
            "health.probe_seconds",
            "health.deep_seconds",
            "on_demand.countries", "on_demand.idle_minutes", "on_demand.openings_per_minute",
        ]
        + ["providers.wireguard.directory", "providers.wireguard.devices"]
        + Provider.all.flatMap { provider in
            (["api_url", "private_key_file", "preshared_key_file", "ca_file", "devices"]
                + (provider.takesTokens ? ["access_token_file"] : [])
                + (provider.needsAddress ? ["address"] : []))
                .map { "providers.\(provider.name).\($0)" }
        }

    /// Those among them that are lists, with commas between.
    private static let lists: Set = [
        "api.trusted_proxies", "api.allowed_networks", "api.origins", "verification.urls", "verification.own_urls",
    ]

    /// Those among them that are numbers, or true and false; the others are text, also where it is made of digits.
    private static let numbers = Set([
        "redis.shared", "gateway.start", "api.port", "api.log_requests", "api.metrics_user_names", "api.streams",
        "api.streams_per_key", "api.dashboard", "api.session_seconds", "api.session_idle_seconds", "api.limits.requests",
        "api.limits.strict_requests",
        "api.limits.failed_keys",
        "api.limits.window_seconds", "api.connections", "api.connections_per_address", "api.audit.requests", "api.audit.retention_days",
        "gateway.port", "gateway.client_limit", "gateway.pending_limit", "gateway.tls_limit", "gateway.failed_passwords",
        "gateway.hold_seconds",
        "gateway.drain_seconds",
        "gateway.country_ports",
        "gateway.trusted_ports", "gateway.tls_port", "catalog.refresh_seconds",
        "verification.requests_per_day", "verification.echo_port", "verification.canary_seconds",
        "health.probe_seconds", "health.deep_seconds", "on_demand.idle_minutes", "on_demand.openings_per_minute", "webhooks.allow_private",
        "webhooks.allow_http", "webhooks.timeout_seconds",
        "webhooks.longest_pause_seconds", "webhooks.disable_after_seconds", "webhooks.give_up_after", "providers.wireguard.devices",
    ]).union(Provider.all.map { "providers.\($0.name).devices" })

    static func variable(_ path: String) -> String { "SALLYPORT_" + path.uppercased().replacing(".", with: "_") }

    /// Where the configuration is when nobody names it: the first one that is there.
    static let usualFiles = ["./sallyport.yaml", "/etc/sallyport/sallyport.yaml"]

    static func usualFile(among files: [String] = usualFiles) -> String? { files.first(where: Files.exists) }

    /// Reads the file, if one is named, then the environment; checks everything and reports every mistake at once.
    static func load(file: String?, environment: [String: String]) throws -> Configuration {
        let (configuration, problems) = examine(try file.map { try document(of: $0) } ?? .object([:]), file, environment)
        guard problems.isEmpty, let configuration else { throw ConfigurationError(problems: problems) }
        return configuration
    }

    /// What can be made of a file and the environment, and every mistake in them. What is wrong has its standard value, or none.
    static func examine(
        _ content: Document, _ file: String?, _ environment: [String: String]
    ) -> (configuration: Configuration?, problems: [String]) {
        var problems: [String] = []
        let named = document(content, with: environment, &problems)
        let reader = FieldReader(Credentials(environment).resolving(named, &problems), name: "")
        var configuration = read(reader, environment: environment)
        problems += reader.finish().map(\.description)
        configuration?.origins = Origins(file: file, content: content, environment: environment)
        return (configuration, problems)
    }

    static func document(of file: String) throws -> Document {
        do { return try YAML.parse(try Files.readText(file)) } catch let error as YAMLError {
            throw ConfigurationError(problems: ["\(file): \(error.message)"])
        } catch {
            throw ConfigurationError(problems: ["\(error)"])
        }
    }

    /// The file's content with what the environment sets.
    private static func document(_ content: Document, with environment: [String: String], _ problems: inout [String]) -> Document {
        var document = content
        for (name, text) in environment.sorted(by: { $0.key < $1.key }) where name.hasPrefix("SALLYPORT_") {
            if ForeignVariables.has(name, text) { continue }
            guard let path = environmentPaths.first(where: { variable($0) == name }) else {
                problems.append(ForeignVariables.problem(name, settings: environmentPaths.map(variable)))
                continue
            }
            document = setting(path.split(separator: ".")[...], to: value(text, of: path), in: document)
        }
        return document
    }

    private static func value(_ text: String, of path: String) -> Document {
        if text.isEmpty { return .null }
        if lists.contains(path) { return .array(text.split(separator: ",").map { .string($0.filter { !$0.isWhitespace }) }) }
        return numbers.contains(path) ? YAML.scalar(text) : .string(text)
    }

    private static func setting(_ path: ArraySlice<Substring>, to value: Document, in document: Document) -> Document {
        guard let name = path.first else { return value }
        var fields: [String: Document] = [:]
        if case .object(let present) = document { fields = present }
        fields[String(name)] = setting(path.dropFirst(), to: value, in: fields[String(name)] ?? .null)
        return .object(fields)
    }

    private static func read(_ reader: FieldReader, environment: [String: String]) -> Configuration? {
        let data = Files.absolute(reader.string("data_dir") ?? ".run")
        let share = Files.absolute(reader.string("share_dir") ?? ".")
        for (name, path) in [("data_dir", data), ("share_dir", share)] where !isPlainPath(path) {
            reader.problem(name, "is \(path), expected a path of letters, digits and / . _ - (HAProxy's file names it)")
        }
        // The longest socket in it is `haproxy/socks5.sock`, with what HAProxy appends while it starts.
        if data.utf8.count > 70 { reader.problem("data_dir", "is longer than 70 bytes, expected a shorter one: it holds Unix sockets") }
        if !Files.exists("\(share)/haproxy/haproxy.cfg.template") {
            reader.problem("share_dir", "\(share) has no haproxy/haproxy.cfg.template, expected the folder of Sallyport's own files")
        }
        let log = reader.section("log")
        let level = log.choice("level", LevelName.self) ?? .info
        let format = log.choice("format", Log.Format.self) ?? .text
        let redis = reader.section("redis")
        let catalog = reader.section("catalog")
        let health = reader.section("health")
        let deepSeconds = health.number("deep_seconds", in: 1...3600) ?? 15
        let providers = reader.section("providers")
        let (api, gateway) = (readAPI(reader.section("api")), readGateway(reader.section("gateway"), data: data))
        return Configuration(
            dataFolder: data, shareFolder: share, rootKeyFile: Files.absolute(reader.string("root_key_file") ?? "\(data)/root.key"),
            logLevel: level.level, logFormat: format, api: api, gateway: gateway,
            traefik: readTraefik(reader.section("traefik"), gateway: gateway, api: api),
            docker: readDocker(reader.section("docker"), share: share, environment: environment),
            redis: readRedis(redis), redisIsShared: readIsShared(redis), redisPrefix: word(redis, "prefix", default: "sallyport"),
            providers: readProviders(providers), wireGuard: readWireGuard(providers),
            health: .init(
                probeSeconds: health.number("probe_seconds", in: 0.1...60) ?? 0.5,
                deepSeconds: deepSeconds),
            onDemand: readOnDemand(reader.section("on_demand")), webhooks: readWebhooks(reader.section("webhooks")),
            catalogRefreshSeconds: catalog.number("refresh_seconds", in: 60...86_400) ?? 3600,
            countrySeconds: readCountrySeconds(catalog.section("country_seconds")),
            verification: readVerification(reader.section("verification"), deepSeconds: deepSeconds),
            speedTestURL: readSpeedTest(reader.section("speed_test")))
    }

    /// `countries` is `all`, `none`, or a list.
    private static func readOnDemand(_ reader: FieldReader) -> OnDemandRules {
        var rules = OnDemandRules()
        let words = reader.list("countries", limit: 250) ?? []
        switch words.map({ $0.lowercased() }) {
        case [], ["none"]: rules.countries = .none
        case ["all"]: rules.countries = .all
        default:
            rules.countries = .some(
                Set(
                    words.compactMap { word in
                        if let country = CountryCode(word) { return country }
                        reader.problem(
                            "countries", "\(word) is not a country code, expected all, none, or a list of two letters each like [us, de]")
                        return nil
                    }))
        }
        rules.idleSeconds = 60 * (reader.number("idle_minutes", in: 0.05...1_440) ?? 10)
        rules.openingsPerMinute = reader.integer("openings_per_minute", in: 1...1_000) ?? 10
        return rules
    }

    /// Seconds by country: `{us: 300}`.
    private static func readCountrySeconds(_ reader: FieldReader) -> [CountryCode: Double] {
        reader.keys.reduce(into: [:]) { periods, key in
            let seconds = reader.number(key, in: 60...3600)
            guard let country = CountryCode(key) else { return reader.problem(key, "is not a country code, expected two letters like us") }
            periods[country] = seconds
        }
    }

    private enum LevelName: String, CaseIterable {
        case debug, info, warning, error
        var level: Log.Level {
            switch self {
            case .debug: .debug
            case .info: .info
            case .warning: .warning
            case .error: .error
            }
        }
    }

    private static func readDocker(_ reader: FieldReader, share: String, environment: [String: String]) -> DockerSettings {
        let chosen = reader.string("host") ?? environment["DOCKER_HOST"]
        var found = EngineAddress(host: chosen ?? EngineAddress.standard)
        if chosen == nil {
            do { found = try EngineAddress.found(environment) } catch { reader.problem("host", "\(error)") }
        }
        let host = found.host
        if !host.hasPrefix("unix://") && !host.hasPrefix("/") {
            reader.problem("host", "is \(host), expected a Unix socket like unix:///var/run/docker.sock")
        }
        let archive = Files.absolute(reader.string("image_archive") ?? "\(share)/.build/images/exit.tar")
        let subnet = reader.string("subnet")
        if let subnet, !isCIDR(subnet) { reader.problem("subnet", "is \(subnet), expected an IPv4 network like 172.31.240.0/24") }
        let sources = reader.string("gateway_network")
        if let sources, Network(sources) == nil || !isIPv4(String(sources.prefix { $0 != "/" })) {
            reader.problem("gateway_network", "is \(sources), expected an IPv4 network like 172.31.240.0/29")
        }
        if let excess = NetworkUnion([sources.flatMap(Network.init)].compactMap(\.self)).excess {
            reader.problem("gateway_network", "has \(excess) because exits accept connections from these addresses")
        }
        return DockerSettings(
            host: host, isFound: chosen == nil, origin: found.origin,
            owner: word(reader, "owner", default: "sallyport"), network: word(reader, "network", default: "sallyport"),
            subnet: subnet, gatewayNetwork: sources,
            image: reader.string("image") ?? ExitContainers.imageName("sallyport-exit", of: archive), imageArchive: archive)
    }

    private static func readRedis(_ reader: FieldReader) -> RedisAddress? {
        guard let url = reader.string("url") else { return nil }
        do { return try RedisAddress(reading: url) } catch {
            reader.problem("url", "\(error)")
            return nil
        }
    }

    /// A private server is ours alone; another one may have other controllers, unless the operator says that it has not.
    private static func readIsShared(_ reader: FieldReader) -> Bool {
        let isShared = reader.bool("shared")
        if isShared == true, !reader.has("url") {
            reader.problem("shared", "is true without redis.url, expected the address of the Redis that the controllers share")
        }
        return isShared ?? reader.has("url")
    }

    private static func readSpeedTest(_ reader: FieldReader) -> String {
        let url = reader.string("url") ?? "https://speed.cloudflare.com/__down?bytes={bytes}"
        if !url.hasPrefix("https://"), !url.hasPrefix("http://") { reader.problem("url", "\(url) is not an http or https URL") }
        return url
    }

    // MARK: - Parts

    /// A secret from the field itself or, better, from the file that `<field>_file` names.
    static func secret(_ reader: FieldReader, _ field: String) -> Secret? {
        if let text = reader.string(field) { return Secret(text) }
        guard let path = reader.string("\(field)_file") else { return nil }
        do {
            let text = try Files.readText(path, limit: 4096)
            if WireGuardFile(text).isConfiguration {
                reader.problem(
                    "\(field)_file", "\(path) is a WireGuard configuration, expected the secret alone; private_key_file accepts it")
                return nil
            }
            let secret = OperatorText.bare(text)
            if secret.isEmpty { reader.problem("\(field)_file", "\(path) is empty") }
            return Secret(secret)
        } catch {
            reader.problem("\(field)_file", "\(error)")
            return nil
        }
    }

    static func word(_ reader: FieldReader, _ field: String, default standard: String) -> String {
        let text = reader.string(field) ?? standard
        let isGood =
            (1...40).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
        if !isGood { reader.problem(field, "expected 1 to 40 of a-z 0-9 -") }
        return text
    }

    static func ipv4(_ reader: FieldReader, _ field: String, default standard: String) -> String {
        let text = reader.string(field) ?? standard
        if !isIPv4(text) { reader.problem(field, "is \(text), expected an IPv4 address") }
        return text
    }

    static func isIPv4(_ text: String) -> Bool {
        var address = in_addr()
        return inet_pton(AF_INET, text, &address) == 1
    }

    static func isCIDR(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2 && isIPv4(String(parts[0])) && (Int(parts[1]).map { (8...30).contains($0) } ?? false)
    }

    static func isPlainPath(_ path: String) -> Bool {
        path.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "/._-".contains($0)) }
    }
}
