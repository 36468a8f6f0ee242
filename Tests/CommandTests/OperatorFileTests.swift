import API
import FoundationEssentials
import Glibc
import Model
import Platform
import Providers
import TestSupport
import Testing

@testable import sallyport

/// Files and variables as editors, Compose, Kubernetes and providers leave them.
@Suite struct OperatorFileTests {
    private static let key = "c2FsbHlwb3J0LWh1bnQtcHJpdmF0ZS1zYWxseXBvcnQ="
    private static let presharedKey = "c2FsbHlwb3J0LWh1bnQtcHVibGljLS1zYWxseXBvcnQ="
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func write(_ bytes: [UInt8], to name: String) throws -> String {
        let path = "\(folder.path)/\(name)"
        try Data(bytes).write(to: URL(filePath: path))
        return path
    }

    private func load(_ text: String, _ environment: [String: String] = [:]) throws -> Configuration {
        try Files.write(text, to: "\(folder.path)/c.yaml", mode: 0o600)
        return try Configuration.load(
            file: "\(folder.path)/c.yaml", environment: environment.merging(["SALLYPORT_SHARE_DIR": Repository.root]) { $1 })
    }

    private func problems(_ text: String, _ environment: [String: String] = [:]) throws -> [String] {
        do { _ = try load(text, environment) } catch let error as ConfigurationError { return error.problems }
        return []
    }

    private static func utf16(_ text: String, lowFirst: Bool, mark: Bool) -> [UInt8] {
        let units = (mark ? [0xFEFF] : []) + Array(text.utf16)
        return units.flatMap { lowFirst ? [UInt8($0 & 255), UInt8($0 >> 8)] : [UInt8($0 >> 8), UInt8($0 & 255)] }
    }

    /// The same text as Windows' editors, PowerShell and others write it.
    private static func forms(_ text: String) -> [[UInt8]] {
        let lines = text.replacing("\n", with: "\r\n")
        return [
            Array(text.utf8), Array(lines.utf8), [0xEF, 0xBB, 0xBF] + Array(lines.utf8), utf16(lines, lowFirst: true, mark: true),
            utf16(lines, lowFirst: false, mark: true), utf16(text, lowFirst: true, mark: false), utf16(text, lowFirst: false, mark: false),
        ]
    }

    @Test func `a token or a key is read from whatever an editor made of it`() throws {
        for (name, secret) in [("access_token", String(repeating: "0123456789abcdef", count: 4)), ("private_key", Self.key)] {
            for text in [
                "\(secret)\n", "  \(secret)  \n\n", "\"\(secret)\"\n", "'\(secret)'", "\u{201C}\(secret)\u{201D}\n", "\u{200B}\(secret)",
            ] {
                for bytes in Self.forms(text) {
                    let path = try write(bytes, to: "secret")
                    let configuration = try load("providers: {nordvpn: {\(name)_file: \(path)}}")
                    let credentials = try #require(configuration.providers.first?.accounts.first?.credentials)
                    let read =
                        switch credentials {
                        case .accessToken(let token): token.revealed
                        case .privateKey(let key): key.revealed
                        }
                    #expect(read == secret, "\(bytes.prefix(12))")
                }
            }
        }
    }

    @Test func `variables and settings are read from whatever an editor made of them`() throws {
        for bytes in Self.forms("SALLYPORT_API_PORT=9090\nexport SALLYPORT_LOG_FORMAT=\"json\"\n") {
            let path = try write(bytes, to: ".env")
            #expect(
                try DotEnv.complete([:], from: path) == ["SALLYPORT_API_PORT": "9090", "SALLYPORT_LOG_FORMAT": "json"], "\(bytes.prefix(8))"
            )
        }
        for bytes in Self.forms("api:\n  port: 9091\nproviders:\n  surfshark:\n    private_key: \(Self.key)\n") {
            let path = try write(bytes, to: "d.yaml")
            let configuration = try Configuration.load(file: path, environment: ["SALLYPORT_SHARE_DIR": Repository.root])
            #expect(configuration.api.port == 9091)
        }
    }

    private static let surfshark = """
        #
        # Use this configuration with WireGuard client
        [Interface]
        Address = 10.14.0.9/16
        PrivateKey = \(key)
        DNS = 162.252.172.57, 149.154.159.92
        [Peer]
        PublicKey = \(presharedKey)
        AllowedIPs = 0.0.0.0/0
        Endpoint = us-stl.prod.surfshark.com:51820

        """
    private static let mullvad = """
        [interface]
        privatekey=\(key) # of Brave Otter
        Address = fc00:bbbb:bbbb:bb01::1:c21/128,10.64.12.34/32
        [peer]
        PresharedKey = \(presharedKey)

        """

    @Test func `a provider's whole WireGuard file is read for the key and the address in it`() throws {
        for (provider, text, address) in [("surfshark", Self.surfshark, "10.14.0.9/16"), ("mullvad", Self.mullvad, "10.64.12.34/32")] {
            for bytes in Self.forms(text) {
                let path = try write(bytes, to: "wg.conf")
                let entry = try #require(try load("providers: {\(provider): {private_key_file: \(path)}}").providers.first)
                guard case .privateKey(let key)? = entry.accounts[0].credentials else { throw TimeoutError(what: "a private key") }
                #expect(key.revealed == Self.key && entry.accounts[0].facts.clientAddress == address)
                #expect(entry.accounts[0].facts.presharedKey?.revealed == (provider == "mullvad" ? Self.presharedKey : nil))
            }
        }
        let path = try write(Array(Self.mullvad.utf8), to: "wg.conf")
        let given = try load("providers: {mullvad: {private_key_file: \(path), address: 10.64.0.7/32}}")
        #expect(given.providers[0].accounts[0].facts.clientAddress == "10.64.0.7/32", "what is set wins")
        #expect(
            try problems("providers: {nordvpn: {access_token_file: \(path)}}") == [
                "providers.nordvpn.access_token_file: \(path) is a WireGuard configuration, expected the secret alone; private_key_file accepts it"
            ])
        let without = try write(Array("[Interface]\nPrivateKey = short=\nAddress = fd00::2/128\n".utf8), to: "bad.conf")
        let wrong = try problems("providers: {mullvad: {private_key_file: \(without)}}")
        #expect(wrong.count == 2 && !wrong.joined().contains("short"), "\(wrong)")
        #expect(
            wrong.contains {
                $0.hasPrefix("providers.mullvad.private_key_file: \(without) is a WireGuard configuration, but not with one PrivateKey")
            })
    }

    @Test func `an address list and resolvers in one text are read, and what is none is named`() throws {
        func facts(_ more: String, _ environment: [String: String] = [:]) throws -> TunnelFacts {
            try #require(try load("providers: {mullvad: {private_key: \(Self.key), \(more)}}", environment).providers.first).accounts[0]
                .facts
        }
        for address in [
            "10.64.12.34/32", "\"10.64.12.34/32,fc00:bbbb::1:c21/128\"", "\"fc00::1/128, 10.64.12.34/32\"",
            "[10.64.12.34/32, \"fc00::1/128\"]",
        ] {
            #expect(try facts("address: \(address)").clientAddress == "10.64.12.34/32", "\(address)")
        }
        #expect(try facts("address: 10.64.12.34/32").clientAddress6 == nil)
        #expect(try facts("address: \"10.64.12.34/32,fc00:bbbb::1:c21/128\"").clientAddress6 == "fc00:bbbb::1:c21/128")
        #expect(try facts("address: [\"fc00:bbbb::2\", 10.64.12.34/32]").clientAddress6 == "fc00:bbbb::2/128")
        for (address, words) in [
            ("[10.64.12.34/32, \"fe80::1/64\"]", "has fe80::1/64, expected an IPv6 address with its prefix"),
            ("[10.64.12.34/32, \"fc00::1/200\"]", "has fc00::1/200, expected an IPv6 address"),
            ("[10.64.12.34/32, \"fc00::1\", \"fc00::2\"]", "has 2 IPv6 addresses, expected one at most"),
        ] {
            let found = try problems("providers: {mullvad: {private_key: \(Self.key), address: \(address)}}")
            #expect(found.count == 1 && found[0].contains("providers.mullvad.address: \(words)"), "\(found)")
        }
        let variable = ["SALLYPORT_PROVIDERS_MULLVAD_ADDRESS": "10.64.12.34/32,fc00::1/128"]
        #expect(try facts("mtu: 1400", variable).clientAddress == "10.64.12.34/32")
        for dns in ["10.64.0.1", "[10.64.0.1]", "\"10.64.0.1\""] {
            #expect(try facts("address: 10.1.1.1/32, dns: \(dns)").dns == ["10.64.0.1"])
        }
        for dns in ["\"10.64.0.1, 10.64.0.2\"", "\"10.64.0.1 10.64.0.2\"", "[10.64.0.1, 10.64.0.2]"] {
            #expect(try facts("address: 10.1.1.1/32, dns: \(dns)").dns == ["10.64.0.1", "10.64.0.2"], "\(dns)")
        }
        for (more, field) in [
            ("address: \"fc00::1/128\"", "address"), ("address: \"10.1.1.1/32,10.1.1.2/32\"", "address"),
            ("address: \"10.1.1.1\"", "address"),
            ("address: 10.1.1.1/32, dns: resolver.example", "dns"), ("address: 10.1.1.1/32, dns: \"\"", "dns"),
            ("address: 10.1.1.1/32, dns: \"1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4\"", "dns"),
        ] {
            let wrong = try problems("providers: {mullvad: {private_key: \(Self.key), \(more)}}")
            #expect(wrong.count == 1 && wrong[0].hasPrefix("providers.mullvad.\(field): "), "\(more): \(wrong)")
        }
    }

    private static let valid = "providers: {surfshark: {private_key: \(key)}}\n"

    @Test func `variables of Compose, of Kubernetes' services and of Docker's links end no start`() throws {
        var environment = [
            "SALLYPORT_DOMAIN": "example.com", "SALLYPORT_GATEWAY_BIND": "0.0.0.0", "SALLYPORT_OPEN_FILES": "100000",
            "SALLYPORT_VERSION": "0.1.0",
            "SALLYPORT_NAME": "/web/sallyport",
        ]
        for service in ["SALLYPORT", "SALLYPORT_API", "SALLYPORT_GATEWAY", "SALLYPORT_REDIS", "SALLYPORT_A_B"] {
            environment["\(service)_SERVICE_HOST"] = "10.96.0.11"
            environment["\(service)_SERVICE_PORT"] = "8080"
            environment["\(service)_SERVICE_PORT_HTTP_API"] = "8080"
            environment["\(service)_PORT"] = "tcp://10.96.0.11:8080"
            for (port, kind) in [("8080", "TCP"), ("53", "UDP"), ("132", "SCTP")] {
                let name = "\(service)_PORT_\(port)_\(kind)"
                environment[name] = "\(kind.lowercased())://[fd00::11]:\(port)"
                environment["\(name)_PROTO"] = kind.lowercased()
                environment["\(name)_PORT"] = port
                environment["\(name)_ADDR"] = "10.96.0.11"
            }
        }
        let configuration = try load(Self.valid, environment)
        #expect(configuration.api.port == 8080 && configuration.gateway.port == 8128, "a link is no port")
        #expect(try load(Self.valid, ["SALLYPORT_API_PORT": "9090"]).api.port == 9090)
        #expect(try problems(Self.valid, ["SALLYPORT_API_PORT": "9o90"]).count == 1)
        // Every variable that the Compose file of this project reads.
        let compose = try Files.read("\(Repository.root)/containers/compose.yaml")
        let names = Set(compose.matches(of: /\$\{(SALLYPORT_[A-Z_]+)/).map { String($0.1) })
        #expect(names.count >= 6)
        for name in names { #expect(try problems(Self.valid, [name: "1"]) == [], "\(name)") }
    }

    @Test func `a variable that is nobody's is named in one short line, with what it may have been meant to be`() throws {
        let wrong = try problems(
            Self.valid,
            [
                "SALLYPORT_API_PROT": "1", "SALLYPORT_LOGLEVEL": "debug", "SALLYPORT_ZZZ": "1",
                "SALLYPORT_" + String(repeating: "X", count: 5000): "1",
            ])
        #expect(wrong.count == 4)
        for line in wrong { #expect(line.utf8.count < 250, "\(line)") }
        #expect(wrong.contains("SALLYPORT_API_PROT: no such setting; did you mean SALLYPORT_API_PORT?"))
        #expect(wrong.contains("SALLYPORT_LOGLEVEL: no such setting; did you mean SALLYPORT_LOG_LEVEL?"))
        #expect(wrong.contains { $0.hasPrefix("SALLYPORT_ZZZ: no such setting; docs/configuration.md lists them") })
    }

    @Test func `a context of Docker's command is used where nobody names the engine`() throws {
        let home = "\(folder.path)/home"
        let context = "\(home)/.docker/contexts/meta/\(Digest.sha256("desktop-linux"))"
        try Files.makePrivateFolder(context)
        try Files.write(#"{"auths":{},"currentContext":"desktop-linux"}"#, to: "\(home)/.docker/config.json", mode: 0o600)
        let meta =
            #"{"Name":"desktop-linux","Metadata":{},"Endpoints":{"docker":{"Host":"unix:///home/a/docker.sock","SkipTLSVerify":false}}}"#
        try Files.write(meta, to: "\(context)/meta.json", mode: 0o600)
        func host(_ environment: [String: String], _ more: String = "") throws -> String {
            try load(Self.valid + more, environment).docker.host
        }
        let (wanted, standard) = ("unix:///home/a/docker.sock", "unix:///var/run/docker.sock")
        #expect(try host(["HOME": home]) == wanted)
        #expect(try host(["HOME": "/nowhere", "DOCKER_CONFIG": "\(home)/.docker"]) == wanted)
        let shown = try load(Self.valid, ["HOME": home]).settings.first { $0.name == "docker.host" }
        #expect(shown?.value == wanted && shown?.from == "Docker's context desktop-linux")
        #expect(try host(["HOME": home, "DOCKER_CONTEXT": "default"]) == standard)
        for environment in [["HOME": home, "DOCKER_CONTEXT": "other"], ["DOCKER_CONTEXT": "other"]] {
            let told = try problems(Self.valid, environment)
            #expect(told == ["docker.host: Docker's context 'other' is not known here, expected the socket of its engine"])
        }
        #expect(try host(["HOME": "/nowhere"]) == standard && host([:]) == standard)
        #expect(try host(["HOME": home, "DOCKER_HOST": "unix:///x.sock"]) == "unix:///x.sock")
        #expect(try host(["HOME": home], "docker: {host: /x.sock}\n") == "/x.sock")
        try Files.write(meta.replacing("unix:///home/a/docker.sock", with: "ssh://me@far"), to: "\(context)/meta.json", mode: 0o600)
        let told = try problems(Self.valid, ["HOME": home])
        #expect(
            told == [
                "docker.host: Docker's context 'desktop-linux' leads to ssh://me@far, expected a Unix socket: run the controller there"
            ])
        try Files.write("{", to: "\(home)/.docker/config.json", mode: 0o600)
        #expect(try host(["HOME": home]) == standard)
    }

    @Test func `an engine without root is told apart, and another engine is not followed to`() throws {
        let (one, two) = ("\(folder.path)/run/docker.sock", "\(folder.path)/two.sock")
        try Files.makePrivateFolder("\(folder.path)/run")
        let sockets = try [one, two].map { try ScriptedServer(unix: $0) { _ in } }
        defer { for socket in sockets { socket.stop() } }
        let found = try load(Self.valid, [:]).docker
        #expect(found.isFound && found.host == EngineAddress.standard)
        // The machine's own goes first.
        if !EngineAddress.isSocket("/var/run/docker.sock") {
            let told = try problems(Self.valid, ["XDG_RUNTIME_DIR": "\(folder.path)/run"])
            #expect(told.first?.hasPrefix("docker.host: found unix://\(one), an engine without root, whose exits") ?? false, "\(told)")
        }
        let named = ["XDG_RUNTIME_DIR": "\(folder.path)/run", "DOCKER_HOST": "unix://\(one)"]
        #expect(try load(Self.valid, named).docker.host == "unix://\(one)")

        let file = "\(folder.path)/engine"
        func settle(_ path: String, isFound: Bool) throws {
            var docker = found
            (docker.host, docker.isFound) = ("unix://\(path)", isFound)
            try EngineAddress.settle(docker, in: file)
        }
        try settle(one, isFound: true)
        try settle(one, isFound: true)
        let error = try #require(throws: StartError.self) { try settle(two, isFound: true) }
        #expect(error.message.contains("unix://\(two)") && error.message.contains("left on unix://\(one)"))
        // By name it may be another one, and one that is gone has no exits.
        try settle(two, isFound: false)
        #expect(unlink(two) == 0)
        try settle(one, isFound: true)
    }
}
