import DockerEngine
import HTTPTransport
import Latency
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

/// Handshakes with real WireGuard servers, by the part that measures them.
@Suite(.enabled(if: engineAddress != nil, "no DOCKER_HOST: run `make test`"), .timeLimit(.minutes(2)))
struct HandshakeTests {
    private func target(_ name: String, _ lab: Lab, key: String? = nil, address: String? = nil, port: Int = 51820) throws
        -> HandshakeProbe.Target
    {
        let server = try #require(lab.layout.servers.first { $0.container == name })
        return HandshakeProbe.Target(
            name: name, address: address ?? server.address, port: port,
            publicKey: try key ?? #require(lab.keys.cities[server.city]?.publicKey))
    }

    @Test func `servers that know our key answer the handshake, in about the time of an echo`() async throws {
        let lab = try await TestLab.shared.value.lab
        let targets = try ["us-1", "de-1", "gb-2"].map { try target($0, lab) }
        let answers = try await HandshakeProbe().measure(targets, privateKey: Secret(lab.keys.client.privateKey))
        #expect(answers.keys.sorted() == ["de-1", "gb-2", "us-1"])
        for answer in answers.values {
            guard case .accepted(let time) = answer else { return #expect(Bool(false), "\(answer)") }
            #expect((0.01..<1000).contains(time))
        }
        // A second handshake is newer than the first, and so answered too.
        #expect(try await HandshakeProbe().measure(targets, privateKey: Secret(lab.keys.client.privateKey)).count == 3)
    }

    @Test func `a server that does not know our key is silent, and so is one that is not there or is another`() async throws {
        let lab = try await TestLab.shared.value.lab
        let stranger = WireGuardKeys()
        let probe = HandshakeProbe(again: 100, timeout: 500)
        #expect(try await probe.measure([target("us-1", lab)], privateKey: stranger.privateKey).isEmpty)
        let ours = Secret(lab.keys.client.privateKey)
        let wrong = try [
            target("us-1", lab, key: stranger.publicKey), target("de-1", lab, address: lab.layout.nowhere(7)), target("gb-1", lab, port: 9),
        ]
        #expect(try await probe.measure(wrong, privateKey: ours).isEmpty)
        // Those that are silent don't hold up the others, nor take their answers.
        let mixed = try await HandshakeProbe().measure(wrong + [target("de-2", lab)], privateKey: ours)
        #expect(mixed.keys.sorted() == ["de-2"])
    }

    @Test func `a server that wants a preshared key answers whoever has it, a probe as well as an exit`() async throws {
        let all = try await TestLab.shared.value
        let lab = all.lab
        let server = try all.server("gb-1")
        // A client of its own, so that nobody else on this server notices.
        let (ours, shared) = (WireGuardKeys(), Secret(WireGuardKeys().publicKey))
        let added = try await lab.execute(
            [
                "busybox", "sh", "-c",
                "echo \(shared.revealed) | wg set wg0 peer \(ours.publicKey) preshared-key /dev/stdin allowed-ips 10.5.0.77/32",
            ], on: server)
        #expect(added.status == 0, "\(added.output)")
        let probe = HandshakeProbe(again: 200, timeout: 1000)
        var target = try target("gb-1", lab)
        #expect(try await probe.measure([target], privateKey: ours.privateKey).isEmpty)
        target.presharedKey = shared
        #expect(try await probe.measure([target], privateKey: ours.privateKey).count == 1)
        target.presharedKey = Secret(WireGuardKeys().publicKey)
        #expect(try await probe.measure([target], privateKey: ours.privateKey).isEmpty)

        try await Stage.with { stage in
            var specification = stage.lab.specification(server)
            specification.privateKey = ours.privateKey
            specification.facts.clientAddress = "10.5.0.77/32"
            specification.facts.presharedKey = shared
            let exit = try await stage.exits.launch(specification)
            try await eventually("the exit serves", within: 30) {
                (try? await stage.lab.get("http://ip.lab.test/ip", throughExit: exit.endpoint, of: server.country, deadline: 1))?.text
                    == "\(server.address)\n"
            }
            // As with the private key: in the tunnel's device, and nowhere else that can be looked at.
            let container = try await Programs.run("docker", ["inspect", exit.container])
            let logs = try await stage.exits.logs(of: exit.container, lines: 1000)
            let left = try await stage.run("busybox", "ls", "/config", in: exit.container)
            #expect(container.output.contains(exit.container) && !container.output.contains(shared.revealed))
            #expect(!logs.contains(shared.revealed) && !left.output.contains("exit.conf"))
        }
    }
}
