import API
@testable import AccessControl
import Control
import Model
import Planning
import Platform
import Providers
import RedisStore
import RequestPipeline
import TestSupport
import Testing
@testable import sallyport

@Suite struct ConfigurationTests {
    private let folder: TemporaryFolder
    private static let key = WireGuardKeys().privateKey.revealed

    init() throws {
        folder = try TemporaryFolder()
        try Files.write("the-access-token\n", to: "\(folder.path)/token", mode: 0o600)
    }

    private func load(_ text: String, _ environment: [String: String] = [:]) throws -> Configuration {
        let path = "\(folder.path)/sallyport.yaml"
        try Files.write("share_dir: \(Repository.root)\n" + text, to: path, mode: 0o600)
        return try Configuration.load(file: path, environment: environment)
    }

    private var nordvpn: String { "providers:\n  nordvpn:\n    access_token_file: \(folder.path)/token\n" }

    private func problems(_ text: String, _ environment: [String: String] = [:]) throws -> [String] {
        try #require(throws: ConfigurationError.self) { try load(text, environment) }.problems
    }

    @Test func `a provider is enough, the rest has good defaults`() throws {
        let configuration = try load(nordvpn)
        #expect(configuration.api.port == 8080 && configuration.api.address == "127.0.0.1" && configuration.gateway.port == 8128)
        #expect(
            configuration.redis == nil && configuration.docker.host == "unix:///var/run/docker.sock" && configuration.logFormat == .text)
        #expect(configuration.dataFolder.hasSuffix("/.run") && configuration.dataFolder.hasPrefix("/"))
        guard case .accessToken(let token)? = configuration.providers.first?.accounts.first?.credentials else {
            return #expect(Bool(false))
        }
        #expect(token.revealed == "the-access-token")
        #expect(try load(nordvpn, ["DOCKER_HOST": "unix:///run/other.sock"]).docker.host == "unix:///run/other.sock")
    }

    @Test func `a file may be a credential that systemd hands over`() throws {
        let environment = ["CREDENTIALS_DIRECTORY": folder.path]
        let text = "root_key_file: credential:token\nproviders:\n  nordvpn: {access_token_file: 'credential:token'}\n"
        let configuration = try load(text, environment)
        guard case .accessToken(let token)? = configuration.providers.first?.accounts.first?.credentials else {
            return #expect(Bool(false))
        }
        #expect(token.revealed == "the-access-token" && configuration.rootKeyFile == "\(folder.path)/token")
        let accounts = "providers: {nordvpn: {accounts: [{name: a, access_token_file: 'credential:token', devices: 1}]}}\n"
        #expect(try load(accounts, environment).providers.count == 1)
        // Of the environment, too.
        let variables = environment.merging(["SALLYPORT_PROVIDERS_NORDVPN_ACCESS_TOKEN_FILE": "credential:token"]) { $1 }
        #expect(try load("", variables).providers.count == 1)
        #expect(
            try problems(text).first
                == "providers.nordvpn.access_token_file: is the credential token, and systemd has given none (CREDENTIALS_DIRECTORY is not set); add LoadCredential=token:/path/of/the/file to the service"
        )
        for (name, words) in [
            ("gone", "there is no credential gone in \(folder.path)"), ("../token", "without slashes"), ("", "expected one"),
        ] {
            let told = try problems("root_key_file: 'credential:\(name)'\n" + nordvpn, environment)
            #expect(told.contains { $0.hasPrefix("root_key_file: ") && $0.contains(words) }, "\(told)")
        }
    }

    @Test func `the group of HAProxy's user is one of this system`() throws {
        #expect(try load(nordvpn).gateway.group == nil)
        #expect(try load(nordvpn + "gateway: {group: daemon}\n").gateway.group == "daemon")
        #expect(try load(nordvpn + "gateway: {group: daemon}\n").haproxySettings.socketMode == "mode 660 group daemon")
        for name in ["no-such-group", "'a b'", "a/b"] {
            #expect(try problems(nordvpn + "gateway: {group: \(name)}\n").first?.hasPrefix("gateway.group: ") ?? false)
        }
    }

    @Test func `all mistakes are told at once, each with its field`() throws {
        let text = """
            data_dir: "/tmp/with blank"
            log: {level: loud, format: xml}
            api:
              address: localhost
              port: 0
              keys: {ci: {role: root, sha256: abc}, bad: 1}
            gateway: {port: "8128", client_limit: 1, colour: red}
            docker: {host: "tcp://h:2375", owner: Mine, subnet: 10.0.0.0/33}
            redis: {url: "rediss://:secret-of-redis@h", prefix: ""}
            catalog: {refresh_seconds: 5, country_seconds: {usa: 300, de: 5}}
            verification:
              urls: [ftp://x, 1]
              own_urls: [ftp://y]
              requests_per_day: 5
              budgets: {ip.test: 100}
              check_name: "a b"
              country: vague
              echo_address: here
              echo_port: 70000
              canary_seconds: 1
              canary_action: shoot
              canaries: {Shop: {url: "https://x"}, a: {status: [99]}, b: {url: "http://u:secret-of-canary@b"}}
            providers:
              nordvpn: {private_key: not-a-key-at-all, mtu: 9000, dns: [1.2.3], api_url: nowhere, include: [virtual]}
              mullvad: {}
              protonvpn: {}
            extra: 1
            """
        let problems = try problems(text)
        let fields = Set(problems.map { String($0.prefix { $0 != " " }.dropLast()) })
        for field in [
            "data_dir", "log.level", "log.format", "api.address", "api.port", "api.keys.ci.role", "api.keys.ci.sha256", "api.keys.bad",
            "gateway.port",
            "gateway.client_limit", "gateway.colour", "docker.host", "docker.owner", "docker.subnet", "redis.url", "redis.prefix",
            "catalog.refresh_seconds", "catalog.country_seconds.usa", "catalog.country_seconds.de", "verification.urls",
            "verification.urls[1]", "verification.check_name", "verification.country", "verification.own_urls",
            "verification.requests_per_day",
            "verification.budgets.ip.test", "verification.echo_address", "verification.echo_port",
            "verification.canary_seconds", "verification.canary_action", "verification.canaries.Shop", "verification.canaries.a.url",
            "verification.canaries.a.status[0]", "verification.canaries.b.url",
            "providers.nordvpn.private_key",
            "providers.nordvpn.mtu", "providers.nordvpn.dns", "providers.nordvpn.api_url", "providers.nordvpn.include",
            "providers.mullvad.private_key_file",
            "providers.mullvad.address", "providers.protonvpn", "extra",
        ] { #expect(fields.contains(field), "\(field) in \(problems)") }
        #expect(problems.contains { $0.hasPrefix("redis.url: TLS to Redis is not supported") })
        let all = "\(ConfigurationError(problems: problems))"
        #expect(all.hasPrefix("the configuration has \(problems.count) mistakes:\n  - "))
        #expect(!all.contains("not-a-key-at-all") && !all.contains("secret-of-canary") && !all.contains("secret-of-redis"))
    }

    @Test func `every provider is configured in its own way, and its secrets are masked`() throws {
        try Files.write("\(Self.key)\n", to: "\(folder.path)/key", mode: 0o600)
        let configuration = try load(
            """
            providers:
              surfshark: {private_key_file: \(folder.path)/key, include: [double, static]}
              mullvad: {private_key: "\(Self.key)", address: 10.64.0.9/32, port: 53}
            """)
        #expect(configuration.providers.map(\.provider.name) == [.surfshark, .mullvad])
        let (surfshark, mullvad) = (configuration.providers[0], configuration.providers[1])
        #expect(surfshark.accounts[0].facts.clientAddress == "10.14.0.2/16" && surfshark.options.included == [.double, .fixed])
        #expect(
            mullvad.accounts[0].facts.clientAddress == "10.64.0.9/32" && mullvad.options.port == 53
                && mullvad.accounts[0].facts.dns == ["10.64.0.1"])
        let printed = configuration.description
        #expect(printed.contains("providers.mullvad.mtu:") && printed.contains("private_key: ********") && !printed.contains(Self.key))
        let wrong = try problems("providers: {mullvad: {private_key: \"\(Self.key)\", address: 10.64.0.9}, ivpn: {access_token: x}}")
        #expect(wrong.contains { $0.hasPrefix("providers.mullvad.address: is 10.64.0.9, expected an IPv4 address with its prefix") })
        #expect(wrong.contains { $0.hasPrefix("providers.ivpn.access_token: unknown field") })
        try Files.write("c2hvcnQ=\n", to: "\(folder.path)/key", mode: 0o600)
        let short = try problems("providers: {surfshark: {private_key_file: \(folder.path)/key}}")
        #expect(short == ["providers.surfshark.private_key_file: is not a WireGuard key, expected base64 of 32 bytes"])
    }

    @Test func `without a provider, or without its credentials, there is a clear answer`() throws {
        #expect(
            try problems("api: {port: 1}") == [
                "providers.nordvpn: is missing, and so is every other provider; expected one or more of nordvpn, surfshark, mullvad, ivpn, airvpn, windscribe, "
                    + "each with its private_key_file (nordvpn: or access_token_file), or wireguard with its directory"
            ])
        let missing = try problems("providers: {nordvpn: {mtu: 1400}}")
        #expect(missing.count == 1 && missing[0].hasPrefix("providers.nordvpn.access_token_file: is missing"))
        let unreadable = try problems("providers: {nordvpn: {access_token_file: /no/such/file}}")
        #expect(unreadable == ["providers.nordvpn.access_token_file: reading /no/such/file: No such file or directory"])
        try Files.write(" \n", to: "\(folder.path)/token", mode: 0o600)
        #expect(try problems(nordvpn) == ["providers.nordvpn.access_token_file: \(folder.path)/token is empty"])
    }

    @Test func `the environment wins over the file, in the types that the file would have`() throws {
        let text = nordvpn + "api: {port: 1000, address: 10.0.0.1}\ngateway: {drain_seconds: 5}\n"
        let configuration = try load(
            text,
            [
                "SALLYPORT_API_PORT": "9090", "SALLYPORT_GATEWAY_DRAIN_SECONDS": "1.5", "SALLYPORT_LOG_FORMAT": "json", "PATH": "/bin",
                "SALLYPORT_REDIS_URL": "redis://:secret@h:7000/2",
            ])
        #expect(configuration.api.port == 9090 && configuration.api.address == "10.0.0.1" && configuration.gateway.drainSeconds == 1.5)
        #expect(configuration.logFormat == .json && configuration.redis.map { "\($0)" } == "redis://h:7000/2")
        let only = try Configuration.load(
            file: nil,
            environment: ["SALLYPORT_SHARE_DIR": Repository.root, "SALLYPORT_PROVIDERS_NORDVPN_ACCESS_TOKEN_FILE": "\(folder.path)/token"])
        #expect(only.providers.count == 1)
    }

    @Test func `a list in the environment has commas between its parts`() throws {
        let configuration = try load(
            nordvpn,
            [
                "SALLYPORT_API_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8", "SALLYPORT_API_ORIGINS": "https://a.example",
                "SALLYPORT_VERIFICATION_URLS": "http://a.example/ip,http://b.example/ip", "SALLYPORT_VERIFICATION_COUNTRY": "lenient",
            ])
        #expect(configuration.api.serving.trustedProxies.map(\.description) == ["127.0.0.1", "10.0.0.0/8"])
        #expect(configuration.api.serving.origins == ["https://a.example"] && configuration.verification.services.urls.count == 2)
        #expect(configuration.verification.country == .lenient)
        #expect(try problems(nordvpn, ["SALLYPORT_API_ORIGINS": "https://a.example,*"]).count == 1)
    }

    @Test func `address services have a budget each, but for one's own`() throws {
        let usual = try load(nordvpn)
        #expect(usual.verification.services.perDay == 1_000 && usual.verification.echo == nil)
        #expect(usual.controllerSettings.probing.addressesPerDay == 2_000 && usual.controllerSettings.probing.countriesPerDay == 2_000)
        let more = nordvpn + "verification: {urls: ['https://IP.example:81/json', 'http://b.test'], budgets: {ip.example: 5000}}\n"
        #expect(try load(more).controllerSettings.probing.addressesPerDay == 6_000)
        let own = try load(nordvpn + "verification: {own_urls: ['http://o.test'], urls: [], echo_port: 8190}\n")
        #expect(own.controllerSettings.probing.addressesPerDay == nil && own.verification.echo?.port == 8190)
        #expect(try problems(nordvpn + "verification: {urls: []}\n").count == 1)
        let free = nordvpn + "verification: {requests_per_day: 0}\n"
        #expect(try load(free).controllerSettings.probing.countriesPerDay == nil)
    }

    @Test func `a file of variables adds to the environment, which wins`() throws {
        let path = "\(folder.path)/.env"
        #expect(try DotEnv.complete(["A": "1"], from: path) == ["A": "1"])
        let text = """
            # a comment
            SALLYPORT_API_PORT=9090
              export SALLYPORT_LOG_LEVEL = debug   # as a shell would read it
            SALLYPORT_REDIS_URL="redis://:a#b c@h"
            SALLYPORT_DOCKER_OWNER='x' # quoted
            SALLYPORT_REDIS_PREFIX=a#b
            SALLYPORT_API_ADDRESS=
            OTHER=$(not ours
            COMPOSE_PROJECT_NAME=1
            """
        try Files.write(text.replacing("\n", with: "\r\n"), to: path, mode: 0o600)
        let all = try DotEnv.complete(["SALLYPORT_API_PORT": "7070", "PATH": "/bin"], from: path)
        #expect(
            all == [
                "SALLYPORT_API_PORT": "7070", "PATH": "/bin", "SALLYPORT_LOG_LEVEL": "debug", "SALLYPORT_REDIS_URL": "redis://:a#b c@h",
                "SALLYPORT_DOCKER_OWNER": "x", "SALLYPORT_REDIS_PREFIX": "a#b", "SALLYPORT_API_ADDRESS": "",
            ])
        let wrong = "SALLYPORT_A\nSALLYPORT_B='x\nSALLYPORT_C=\"x\" y\nSALLYPORT_D=1\nSALLYPORT_D=2\n"
        let error = try #require(throws: ConfigurationError.self) { try DotEnv.variables(in: wrong) }
        #expect(
            error.problems == [
                ".env: line 1: expected NAME=value", ".env: line 2: SALLYPORT_B has a quote that does not end, or something behind it",
                ".env: line 3: SALLYPORT_C has a quote that does not end, or something behind it",
                ".env: line 5: SALLYPORT_D is there twice",
            ])
    }

    @Test func `the ways in are those of the configuration, open where HAProxy has them`() throws {
        let more = """
            gateway: {address: 127.0.0.1, port: 9000, country_ports: 20000, trusted_ports: 30000, tls_port: 9443, tls_certificates: \(folder.path)}
            traefik: {directory: \(folder.path), domain: vpn.test}

            """
        var configuration = try load(nordvpn + more)
        configuration.gateway.directory = folder.path
        try Files.write(
            "    bind 127.0.0.1:9000 name gateway\n    bind 127.0.0.1:20538 name country-us\n", to: "\(folder.path)/haproxy.cfg",
            mode: 0o600)
        let countries = ["us", "gb"].compactMap { CountryCode($0) }
        let state = OperatorState(pools: Dictionary(uniqueKeysWithValues: countries.map { ($0, Pool(country: $0, size: 1)) }))
        let lines = ProxyEntries(configuration).entries(in: state).map { entry in
            "\(entry.address) \(entry.protocols.joined(separator: "+")) \(entry.choice) \(entry.country?.rawValue ?? "-") "
                + "\(entry.names.joined(separator: ",")) \(entry.isOpen ? "open" : "closed")"
        }
        #expect(
            lines == [
                "127.0.0.1:9000 http+socks5 user -  open", "127.0.0.1:20157 http+socks5 port GB  closed",
                "127.0.0.1:20538 http+socks5 port US  open", "127.0.0.1:9443 https user -  closed",
                "127.0.0.1:9443 https name GB proxy-gb.*,proxy-uk.* closed", "127.0.0.1:9443 https name US proxy-us.* closed",
                "127.0.0.1:30676 proxy user - proxy.vpn.test closed", "127.0.0.1:30677 proxy port - proxy-any.vpn.test closed",
                "127.0.0.1:30157 proxy port GB proxy-gb.vpn.test,proxy-uk.vpn.test closed",
                "127.0.0.1:30538 proxy port US proxy-us.vpn.test closed",
            ], "\(lines)")
    }

    @Test func `connections leave descriptors for everything else`() {
        #expect(DescriptorLimit.connections(2000, of: 100_000) == 2000)
        #expect(DescriptorLimit.connections(2000, of: 2500) == 1500)
        #expect(DescriptorLimit.connections(2000, of: 1024) == 512)
        #expect(DescriptorLimit.connections(2000, of: 10) == 10)
    }

    @Test func `a variable that is no setting, or whose value is wrong, is a mistake like in the file`() throws {
        let problems = try problems(nordvpn, ["SALLYPORT_API_PROT": "1", "SALLYPORT_API_PORT": "many", "SALLYPORT_LOG_LEVEL": "loud"])
        #expect(problems.count == 3)
        #expect(problems[0] == "SALLYPORT_API_PROT: no such setting; did you mean SALLYPORT_API_PORT?")
        #expect(
            problems.contains { $0.hasPrefix("api.port: is a string") } && problems.contains { $0.hasPrefix("log.level: unknown value") })
    }

    @Test func `every variable that is offered is a setting that the file has`() throws {
        for path in Configuration.environmentPaths {
            let variable = Configuration.variable(path)
            // A control character is wrong for every string, and a string for every number: no setting takes it silently.
            let found = try problems(nordvpn, [variable: "\u{7}"])
            #expect(found.contains { $0.hasPrefix("\(path): ") }, "\(variable): \(found)")
        }
    }

    @Test func `a variable of digits is good for a setting that is text`() throws {
        let configuration = try load(nordvpn, ["SALLYPORT_REDIS_PREFIX": "7", "SALLYPORT_DOCKER_OWNER": "123"])
        #expect(configuration.redisPrefix == "7" && configuration.docker.owner == "123")
    }

    @Test func `a file that isn't there, or is no YAML, is named`() throws {
        let missing = try #require(throws: ConfigurationError.self) { try Configuration.load(file: "/no/such.yaml", environment: [:]) }
        #expect("\(missing)" == "the configuration has a mistake:\n  - reading /no/such.yaml: No such file or directory")
        #expect(try problems("a: [") == ["\(folder.path)/sallyport.yaml: line 3: did not find expected node content"])
    }

    @Test func `the printed configuration has every setting and no secret`() throws {
        let text = """
            redis: {url: "redis://:secret-of-redis@h"}
            api: {keys: {ci: {role: viewer, sha256: \(Digest.sha256("a key"))}}}
            providers: {nordvpn: {private_key: "\(Self.key)"}}
            """
        let configuration = try load(text)
        let printed = configuration.description
        #expect(
            printed.contains("private_key: ********") && printed.contains("api.keys.ci: {role: viewer}")
                && printed.contains("redis://h:6379/0"))
        var dumped = printed
        dump(configuration, to: &dumped)
        #expect(!dumped.contains(Self.key) && !dumped.contains("secret-of-redis") && !printed.contains(Digest.sha256("a key")))
        let token = try load(nordvpn).description
        #expect(token.contains("access_token: ********") && !token.contains("the-access-token"))
    }

    @Test func `paths become absolute, and one that is too long for sockets is refused`() throws {
        #expect(try load(nordvpn + "data_dir: relative/run\n").dataFolder == Files.absolute("relative/run"))
        let long = "/tmp/" + String(repeating: "x", count: 70)
        #expect(
            try problems(nordvpn + "data_dir: \(long)\n") == [
                "data_dir: is longer than 70 bytes, expected a shorter one: it holds Unix sockets"
            ])
    }

    @Test func `a preshared key, the account's devices and an authority of one's own are a provider's settings`() throws {
        let (key, shared) = ("\(folder.path)/key", "\(folder.path)/shared")
        try Files.write("\(Self.key)\n", to: key, mode: 0o600)
        try Files.write("\(Self.key)\n", to: shared, mode: 0o600)
        let account = "private_key_file: \(key), address: 10.64.0.2/32, preshared_key_file: \(shared)"
        let configuration = try load(
            nordvpn + "    devices: 3\n    ca_file: \(key)\n  windscribe: {\(account)}\n  mullvad: {\(account), devices: 0}\n",
            ["SALLYPORT_PROVIDERS_WINDSCRIBE_DEVICES": "4"])
        #expect(configuration.deviceBudget.limits == [.nordvpn: 3, .windscribe: 4])
        #expect(configuration.providers.first?.authorityFile == key)
        #expect(configuration.providers.last?.accounts.first?.facts.presharedKey?.revealed == Self.key)
        #expect(!configuration.description.contains(Self.key) && configuration.description.contains("preshared_key: ********"))
        // What a provider allows is the default; one that sets no number has no limit.
        #expect(
            try load(nordvpn).deviceBudget.limits == [.nordvpn: 10]
                && load("providers:\n  surfshark: {private_key_file: \(key)}\n").deviceBudget.limits.isEmpty)
        let problems = try problems(nordvpn + "    preshared_key: short\n    devices: 2000\n    ca_file: \(folder.path)/nothing\n")
        for field in ["preshared_key", "devices", "ca_file"] {
            #expect(problems.contains { $0.hasPrefix("providers.nordvpn.\(field):") }, "\(field) in \(problems)")
        }
    }

    @Test func `Traefik's settings are checked, together with what they need of the gateway`() throws {
        let good = "gateway: {trusted_ports: 21000, address: 0.0.0.0}\ntraefik: {directory: /etc/t, domain: Example.COM}\n"
        let traefik = try #require(try load(nordvpn + good).traefik)
        #expect(traefik.domain == "example.com" && traefik.apiHost == "api.example.com" && traefik.file == "/etc/t/sallyport.yml")
        #expect(traefik.gatewayHost == "127.0.0.1" && traefik.apiURL == "http://127.0.0.1:8080" && traefik.trustedPorts == 21_000)
        #expect(try load(nordvpn).traefik == nil)
        let cases = [
            ("traefik: {directory: /etc/t}", "traefik.domain: is missing"), ("traefik: {domain: a.b}", "traefik.directory: is missing"),
            ("traefik: {directory: /etc/t, domain: a.b}", "traefik.directory: is set while gateway.trusted_ports is 0"),
            ("traefik: {directory: /etc/t, domain: 'a`) || HostSNI(`*'}", "traefik.domain: is a`)"),
            ("traefik: {directory: /etc/t, domain: -a.b}", "traefik.domain: is -a.b"),
            ("traefik: {api_url: 'https://x/y'}", "traefik.api_url: is https://x/y"),
            ("traefik: {certificate: /a}", "traefik.key: is missing"),
            ("traefik: {certificate: /a, key: 'b'}", "traefik.key: is b"),
            ("traefik: {cert_resolver: 'a b'}", "traefik.cert_resolver: expected"),
            ("gateway: {trusted_ports: 64859}", "gateway.trusted_ports: "), ("gateway: {start: maybe}", "gateway.start: "),
            ("docker: {gateway_network: fd00::/8}", "docker.gateway_network: is fd00::/8"),
        ]
        for (text, problem) in cases { #expect(try problems(nordvpn + text).contains { $0.hasPrefix(problem) }, "\(text)") }
    }
}
