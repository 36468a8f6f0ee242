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
}
