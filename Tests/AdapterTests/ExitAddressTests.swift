@testable import DockerEngine
import Model
import Platform
import TestSupport
import Testing

/// Addresses of exits on a real engine's networks.
@Suite(
    .serialized, .timeLimit(.minutes(2)),
    .enabled(if: Repository.engine != nil, "DOCKER_HOST is unset; run them with `containers/engine run swift test`"),
    .enabled(if: Files.exists(EngineSubject.archive), "there is no .build/images/exit.tar; `make images` makes it"))
struct ExitAddressTests {
    private func exits(_ subject: EngineSubject, subnet: String? = nil, gatewayNetwork: String? = nil) -> ExitContainers {
        ExitContainers(
            engine: subject.engine,
            settings: .init(
                owner: subject.name, image: subject.image, imageArchive: nil, network: subject.name, subnet: subnet,
                gatewayNetwork: gatewayNetwork, credentials: ExitCredentials(root: RootKey(text: Secret(Digest.randomHex(bytes: 32))))),
            log: .none)
    }

    private func specification(_ number: Int, at address: IPv4Address?) -> ExitSpecification {
        let server = Server(
            provider: .nordvpn, hostname: "us\(number)", address: "198.18.99.\(number)", port: 51820, publicKey: WireGuardKeys().publicKey,
            country: us, city: nil, load: 1)
        var specification = ExitSpecification(
            id: ExitID(country: us, number: number), generation: 1, server: server,
            facts: TunnelFacts(clientAddress: "10.5.0.2/32", dns: ["10.5.0.1"], mtu: 1380, keepalive: 25),
            privateKey: WireGuardKeys().privateKey, checkName: "check.test")
        specification.address = address.map { "\($0)" }
        return specification
    }

    private func clear(_ exits: ExitContainers, _ subject: EngineSubject) async throws {
        try await exits.removeAll()
        for name in exits.networks { try await subject.engine.removeNetwork(name) }
    }

    @Test func `an exit gets the address that was chosen for it, and one that something has is told apart`() async throws {
        try await EngineSubject.with { subject in
            let exits = exits(subject)
            let space = try await exits.addressSpace()
            let address = IPv4Address(space.network.first.number + 77)
            #expect(space.offers(address) && !space.offers(space.network.first) && !space.offers(space.network.last))
            #expect(!space.offers(IPv4Address(space.network.first.number + 1)), "the gateway's")
            let made = try await exits.launch(specification(1, at: address))
            #expect(made.endpoint.address == "\(address)")
            #expect(try await !exits.addressSpace().offers(address))
            let error = try await #require(throws: EngineError.self) { try await exits.launch(specification(2, at: address)) }
            #expect(error.code == .addressInUse)
            let listed = try await exits.list()
            #expect(listed.map(\.name) == [made.container] && listed[0].knowsCredential)
            #expect(
                try await exits.launch(specification(2, at: IPv4Address(address.number + 1))).endpoint.address
                    == "\(IPv4Address(address.number + 1))")
            try await clear(exits, subject)
        }
    }

    @Test func `exits of an earlier version keep their network, and new ones get another until it is empty`() async throws {
        try await EngineSubject.with { subject in
            let old = try await subject.create("us-1-g1", "busybox sleep 100")
            try await subject.engine.startContainer(old)
            let exits = exits(subject)
            let space = try await exits.addressSpace()
            #expect(space.name == "\(subject.name)-2")
            let address = IPv4Address(space.network.first.number + 9)
            let made = try await exits.launch(specification(2, at: address))
            #expect(made.endpoint.address == "\(address)")
            let listed = try await exits.list()
            #expect(listed.count == 2 && listed.allSatisfy { $0.endpoint != nil })
            #expect(listed.first { $0.name.hasSuffix("us-1-g1") }?.knowsCredential == false)
            try await subject.engine.removeContainer(old)
            // A controller that starts then makes the first one anew, with addresses that can be chosen.
            let next = self.exits(subject)
            #expect(try await next.addressSpace().name == subject.name)
            #expect(try await next.list().map(\.endpoint?.address) == ["\(address)"])
            try await clear(next, subject)
            #expect(try await subject.engine.network("\(subject.name)-2") == nil)
        }
    }

    @Test func `addresses are of the range that the engine gives, of the configured subnet, and not those of who may ask exits`()
        async throws
    {
        try await EngineSubject.with { subject in
            let engine = subject.engine
            try await engine.removeNetwork(subject.name)
            var network = NetworkCreate(name: subject.name, subnet: nil, labels: [:])
            network.addresses = AddressManagement(
                config: [
                    .init(
                        subnet: "172.29.77.0/24", gateway: "172.29.77.1", ipRange: "172.29.77.128/25",
                        auxiliaryAddresses: ["gateway": "172.29.77.200"])
                ])
            try await engine.createNetwork(network)
            let space = try await exits(subject, gatewayNetwork: "172.29.77.128/29").addressSpace()
            let offered = (0...255).map { IPv4Address(0xAC1D_4D00 + $0) }.filter(space.offers)
            #expect(offered.first?.description == "172.29.77.136" && offered.last?.description == "172.29.77.254")
            #expect(!offered.contains { $0.description == "172.29.77.200" } && offered.count == 118)
            try await engine.removeNetwork(subject.name)
            // Somebody's network with an IPv6 range in front, the only one whose gateway is said.
            network.addresses = AddressManagement(
                config: [.init(subnet: "fd00:77::/64", gateway: "fd00:77::1"), .init(subnet: "172.29.77.0/24")])
            network.enableIPv6 = true
            try await engine.createNetwork(network)
            let both = exits(subject)
            #expect(try await both.prepareNetwork() == "172.29.77.1")
            #expect(try await both.launch(specification(1, at: IPv4Address(0xAC1D_4D09))).endpoint.address == "172.29.77.9")
            try await clear(both, subject)
            let configured = exits(subject, subnet: "172.29.78.0/26")
            #expect(try await configured.addressSpace().network.description == "172.29.78.0/26")
            try await clear(configured, subject)
            // An earlier version's network with the same setting was made with a subnet, so that addresses on it can be chosen.
            try await engine.createNetwork(
                NetworkCreate(name: subject.name, subnet: "172.29.78.0/26", labels: [ExitLabel.owner: subject.name]))
            let address = IPv4Address(0xAC1D_4E05)
            let again = exits(subject, subnet: "172.29.78.0/26")
            #expect(try await again.launch(specification(1, at: address)).endpoint.address == "\(address)")
            try await clear(again, subject)
        }
    }
}
