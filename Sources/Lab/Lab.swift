import DockerEngine
import FoundationEssentials
import HTTPTransport
import Model
import Platform

/// The lab did not do what it was told.
struct LabError: Error, CustomStringConvertible {
    var message: String
    var description: String { "lab: \(message)" }
}

/// A VPN provider in a box: servers and an internet as containers on a network of its own.
final class Lab: Sendable {
    private static let label = "io.sallyport.lab"
    private static let setup = "io.sallyport.lab.setup"

    let layout: LabLayout
    let keys: LabKeys
    private let engine: EngineClient
    private let image: String
    private let imageArchive: String
    private let log: Log

    /// - Parameter folder: where the keys are kept from one run to the next.
    init(layout: LabLayout, folder: String, imageArchive: String, engine: EngineClient, log: Log) throws {
        self.layout = layout
        self.engine = engine
        self.imageArchive = imageArchive
        image = ExitContainers.imageName("sallyport-lab", of: imageArchive)
        self.log = log
        let path = "\(folder)/keys.json"
        try Files.makePrivateFolder(folder)
        let known = (try? Files.read(path)).flatMap { try? JSONDecoder().decode(LabKeys.self, from: Data($0.utf8)) }
        var keys = known ?? LabKeys(layout)
        if keys.complete(layout) || known == nil {
            try Files.write(String(decoding: JSONEncoder().encode(keys), as: UTF8.self), to: path, mode: 0o600)
        }
        self.keys = keys
    }

    // MARK: - Up and down

    /// Starts what does not run yet and returns when all of it answers.
    func up() async throws {
        try await prepareImage()
        if try await engine.network(layout.name) == nil {
            try refuseForeignAddresses(Ports.localAddresses())
            try await engine.createNetwork(NetworkCreate(name: layout.name, subnet: layout.subnet, labels: [Self.label: layout.name]))
        }
        try await openFirewall()
        let countries = layout.servers.map { "\($0.address) \($0.country);\n" }.joined()
        try await start(
            "internet", entry: "/internet", address: layout.internet, file: "countries.map", text: countries, ready: "answers on")
        try await startServers()
    }

    /// A few at once: each waits for its own container most of the time.
    private func startServers() async throws {
        for start in stride(from: 0, to: layout.servers.count, by: 4) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for server in layout.servers[start..<min(start + 4, layout.servers.count)] {
                    group.addTask { try await self.start(server) }
                }
                try await group.waitForAll()
            }
        }
    }

    /// Two interfaces with addresses of one network make the servers of both silent. An engine that was killed leaves its bridges.
    func refuseForeignAddresses(_ addresses: [String]) throws {
        let network = IPNetwork(layout.subnet)
        guard let foreign = addresses.first(where: { IPNetwork($0).map { network?.contains($0) == true } == true }) else { return }
        throw LabError(
            message: """
                \(foreign) is an address of this machine already, and the lab's servers are to have \(layout.subnet). An engine that was \
                killed leaves bridges behind: `ip -br address` names the interface, `ip link delete NAME` removes it
                """)
    }

    private func start(_ server: LabServer) async throws {
        let pair = keys.cities[server.city]
        let death = server.isMortal ? "DIES=240,60\n" : ""
        // On a machine without IPv6 they are as the others.
        let hasIPv6 = server.hasIPv6 && ExitTemplate.kernelHasIPv6
        let six = hasIPv6 ? "INTERNET6=\(layout.internet6)\n" : ""
        let text =
            "PRIVATE_KEY=\(pair?.privateKey ?? "")\nCLIENT_PUBLIC_KEYS=\(keys.accounts.map(\.client.publicKey).joined(separator: ","))\n\(death)\(six)"
        try await start(
            server.container, entry: "/server", address: server.address, file: "server.conf", text: text, ready: "listening on",
            hasIPv6: hasIPv6)
    }

    /// Takes away every container, the network and the way through the firewall.
    func down() async throws {
        for container in try await engine.listContainers(labels: ["\(Self.label)=\(layout.name)"]) {
            try await engine.removeContainer(container.id)
        }
        try await engine.removeNetwork(layout.name)
        try await engine.removeVolume(layout.container("devices"))
        try await closeFirewall()
    }

    private func prepareImage() async throws {
        guard try await engine.imageID(image) == nil else { return }
        guard let archive = try? Data(contentsOf: URL(filePath: imageArchive)) else {
            throw LabError(message: "\(imageArchive) is not there; build it with `make images`")
        }
        try await engine.importImage(image, archive: [UInt8](archive), changes: [])
    }

    private func start(
        _ name: String, entry: String, address: String, file: String, text: String, ready: String, hasIPv6: Bool = false
    ) async throws {
        let container = layout.container(name)
        // One of another image or with other keys would look right and answer nobody.
        let setup = Digest.sha256("\(image)\n\(text)")
        let present = try await engine.listContainers(labels: ["\(Self.label)=\(layout.name)", "\(Self.setup)=\(setup)"])
        if present.contains(where: { $0.name == container && $0.state == "running" }) { return }
        if (try? await engine.inspectContainer(container)) != nil { try await engine.removeContainer(container) }
        try await engine.createContainer(name: container, specification(entry: entry, address: address, setup: setup, hasIPv6: hasIPv6))
        try await engine.upload([TarFile(name: file, mode: 0o600, content: Array(text.utf8))], to: "/config", of: container)
        try await engine.startContainer(container)
        try await wait(for: ready, from: container, name)
        log.info("lab: \(name) is up at \(address)")
    }

    private func specification(entry: String, address: String, setup: String, hasIPv6: Bool) -> ContainerCreate {
        var specification = ContainerCreate(image: image, network: layout.name, address: address)
        specification.entrypoint = [entry]
        specification.labels = [Self.label: layout.name, Self.setup: setup]
        specification.hostConfig.capAdd = ["NET_ADMIN"]
        specification.hostConfig.devices = [.init("/dev/net/tun")]
        specification.hostConfig.sysctls = ["net.ipv4.ip_forward": "1"]
        if hasIPv6 { specification.hostConfig.sysctls["net.ipv6.conf.default.disable_ipv6"] = "0" }
        specification.hostConfig.mounts = [
            .init(type: "volume", target: "/config"), .init(type: "volume", target: "/devices", source: layout.container("devices")),
        ]
        specification.hostConfig.tmpfs = ["/run": "rw,nosuid,nodev,size=4m"]
        return specification
    }

    /// Waits until a container says a word in its log, at most 10 s.
    private func wait(for word: String, from container: String, _ name: String) async throws {
        for _ in 0..<500 {
            let words = try await engine.logs(of: container, lines: 20)
            if words.contains(word) { return }
            guard try await engine.inspectContainer(container).state.running else { throw LabError(message: "\(name) ended: \(words)") }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw LabError(message: "\(name) did not come up within 10 s")
    }

    // MARK: - The way between the exits' network and the lab's

    /// Docker lets no packet pass between two of its networks; to the exits the lab is the outside world. Only answers come
    /// back: what began in the lab would be masqueraded as the gateway, and could reach the exits' proxies.
    private var rules: [[String]] {
        let comment = ["-m", "comment", "--comment", layout.name, "-j", "ACCEPT"]
        return [
            ["DOCKER-USER", "-d", layout.subnet] + comment,
            ["DOCKER-USER", "-s", layout.subnet, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"] + comment,
        ]
    }

    private func openFirewall() async throws {
        // DOCKER-USER is documented to come first, but a dockerd that starts again with networks puts another chain before it.
        let forward = try await Programs.run("iptables", ["-w", "-S", "FORWARD"]).output.split(separator: "\n")
        if forward.first(where: { $0.hasPrefix("-A") }) != "-A FORWARD -j DOCKER-USER" {
            _ = try await Programs.run("iptables", ["-w", "-D", "FORWARD", "-j", "DOCKER-USER"])
            _ = try await Programs.run("iptables", ["-w", "-I", "FORWARD", "-j", "DOCKER-USER"])
        }
        for rule in rules where try await Programs.run("iptables", ["-w", "-C"] + rule).status != 0 {
            let result = try await Programs.run("iptables", ["-w", "-I"] + rule)
            guard result.status == 0 else { throw LabError(message: "iptables: \(result.output)") }
        }
    }

    private func closeFirewall() async throws {
        for rule in rules {
            while try await Programs.run("iptables", ["-w", "-D"] + rule).status == 0 {}
        }
        // The detour of a relay that was killed.
        let rules = try await Programs.run("iptables", ["-w", "-t", "nat", "-S", "PREROUTING"]).output.split(separator: "\n")
        for rule in rules where rule.contains("--comment \(layout.name) ") {
            let words = rule.split(separator: " ").dropFirst().map(String.init)
            _ = try await Programs.run("iptables", ["-w", "-t", "nat", "-D"] + words)
        }
    }

    // MARK: - Misbehaviour

    /// Ends a server at once, as a power cut would.
    func kill(_ server: LabServer) async throws { try await engine.killContainer(layout.container(server.container)) }

    /// Brings a killed server back, with its address and keys.
    func revive(_ server: LabServer) async throws { try await engine.startContainer(layout.container(server.container)) }

    /// Makes the way to a server longer, until the returned relay is given to `endDelay`.
    func delay(_ server: LabServer, milliseconds: Int) async throws -> DelayRelay {
        guard (try? await Programs.run("conntrack", ["--version"])) != nil else {
            throw LabError(message: "conntrack is not installed; apt-get install conntrack")
        }
        guard let gateway = try await engine.network(layout.name)?.gateway else { throw LabError(message: "its network is not there") }
        let relay = try DelayRelay(address: gateway, serverAddress: server.address, serverPort: 51820, milliseconds: milliseconds)
        let result = try await Programs.run("iptables", ["-w", "-t", "nat", "-I"] + detour(server, gateway, relay))
        guard result.status == 0 else { throw LabError(message: "iptables: \(result.output)") }
        try await forgetFlows(server)
        return relay
    }

    func endDelay(_ server: LabServer, _ relay: DelayRelay) async throws {
        guard let gateway = try await engine.network(layout.name)?.gateway else { return }
        _ = try await Programs.run("iptables", ["-w", "-t", "nat", "-D"] + detour(server, gateway, relay))
        try await forgetFlows(server)
        relay.stop()
    }

    private func detour(_ server: LabServer, _ gateway: String, _ relay: DelayRelay) -> [String] {
        [
            "PREROUTING", "-d", server.address, "-p", "udp", "--dport", "51820", "-m", "comment", "--comment", layout.name, "-j", "DNAT",
            "--to-destination", "\(gateway):\(relay.port)",
        ]
    }

    /// The kernel decides about a detour at a flow's first packet: flows that exist must begin anew.
    private func forgetFlows(_ server: LabServer) async throws {
        // Status 1: there was none.
        _ = try await Programs.run("conntrack", ["-D", "-p", "udp", "-d", server.address])
    }

    /// `blackhole`, `loss 2%`, `heal` and the rest of containers/lab/control.
    @discardableResult
    func control(_ server: LabServer, _ words: String...) async throws -> String { try await control(server, words) }

    @discardableResult
    func control(_ server: LabServer, _ words: [String]) async throws -> String {
        let result = try await engine.execute(["/control"] + words, in: layout.container(server.container))
        guard result.status == 0 else { throw LabError(message: "/control \(words.joined(separator: " ")): \(result.output)") }
        return result.output
    }

    /// The latest lines of the resolver's log: who asked for what.
    func queries() async throws -> [String] {
        try await engine.execute(["busybox", "tail", "-n", "1000", "/var/log/queries.log"], in: layout.container("internet")).output.split(
            separator: "\n"
        ).map(String.init)
    }

    /// Runs a program inside a server, as somebody on the provider's side would.
    func execute(_ words: [String], on server: LabServer) async throws -> (status: Int, output: String) {
        try await engine.execute(words, in: layout.container(server.container))
    }

    /// The part of it that says how exits are verified.
    var verification: String {
        """
        verification:
          own_urls: [\(layout.echoURL)]
          urls: []
          check_name: check.lab.test

        """
    }

    /// What a controller's configuration must say to use this lab.
    func configuration(apiURL: String, tokenFile: String) -> String {
        """
        providers:
          nordvpn:
            api_url: \(apiURL)
            access_token_file: \(tokenFile)
            dns: [\(layout.internet)]
        \(verification)speed_test: {url: http://www.lab.test/big}

        """
    }
}
