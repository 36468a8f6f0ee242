import HTTPServing
import Model
import Platform
import TestSupport
import Testing

@testable import Latency

@Suite(.timeLimit(.minutes(1))) struct TCPProbeTests {
    @Test func `an open port answers, and so does a refusal; silence is no answer`() async throws {
        let server = try HTTPServer(address: "127.0.0.1", port: 0) { _ in .ready(.noContent) }
        let open = try await TCPProbe(ports: [server.port]).measure(["127.0.0.1"])
        await server.stop()
        #expect(open.keys.sorted() == ["127.0.0.1"] && (0..<1000).contains(open["127.0.0.1"] ?? -1))
        let refused = try await TCPProbe(ports: [try Ports.free()]).measure(["127.0.0.1", "127.0.0.2"])
        #expect(refused.keys.sorted() == ["127.0.0.1", "127.0.0.2"])
        // TEST-NET-1 (RFC 5737) is nobody's; here it may be unreachable at once or silent.
        #expect(try await TCPProbe(ports: [9], timeout: 50).measure(["192.0.2.77", "not an address"])["not an address"] == nil)
        #expect(try await TCPProbe().measure([]).isEmpty)
    }

    @Test func `more addresses than are tried at once are all tried`() async throws {
        let addresses = (1...130).map { "127.0.1.\($0)" }
        #expect(try await TCPProbe(ports: [try Ports.free()]).measure(addresses).count == 130)
    }
}

@Suite(.timeLimit(.minutes(1))) struct HandshakeMessageTests {
    private let keys = WireGuardKeys()
    private let server = WireGuardKeys()

    private func handshake(index: UInt32 = 7) throws -> Handshake {
        let privateKey = try #require(Base64.wireGuardKey(keys.privateKey.revealed))
        let identity = try #require(Handshake.Identity(privateKey))
        let theirs = try #require(Base64.wireGuardKey(server.publicKey))
        let made = Handshake(
            identity, server: theirs, index: index, ephemeral: (1...32).map { UInt8($0) }, now: (1_700_000_000, 5))
        return try #require(made)
    }

    @Test func `an initiation has the size and the head that WireGuard wants`() throws {
        let message = try handshake(index: 0x0102_0304).initiation
        #expect(message.count == 148 && Array(message[..<8]) == [1, 0, 0, 0, 4, 3, 2, 1])
        #expect(message[132...].allSatisfy { $0 == 0 })
        // The same input makes the same message: everything in it is ours to choose.
        #expect(try handshake(index: 0x0102_0304).initiation == message)
    }

    @Test func `nothing but the server's own answer is accepted`() throws {
        let handshake = try handshake()
        #expect(!handshake.accepts([][...]))
        #expect(!handshake.accepts(handshake.initiation[...]))
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var forged: [UInt8] = (0..<92).map { _ in UInt8.random(in: 0...255, using: &generator) }
            forged.replaceSubrange(0..<4, with: [2, 0, 0, 0])
            #expect(!handshake.accepts(forged[...]))
        }
        // A key of zeros gives a secret that everybody knows.
        #expect(!handshake.accepts(([2] + [UInt8](repeating: 0, count: 91))[...]))
    }

    @Test func `answers are told apart by the number that we gave`() {
        var response = [UInt8](repeating: 0, count: 92)
        response[0] = 2
        response[8] = 0x2A
        #expect(Handshake.index(ofAnswer: response[...]) == 42)
        var cookie = [UInt8](repeating: 0, count: 64)
        cookie[0] = 3
        cookie[5] = 1
        #expect(Handshake.index(ofAnswer: cookie[...]) == 256 && Handshake.isCookieReply(cookie[...]))
        for other in [[], [2], response.dropLast(), (response + [0])[...], [UInt8](repeating: 1, count: 92)[...]] as [ArraySlice<UInt8>] {
            #expect(Handshake.index(ofAnswer: other) == nil)
        }
    }

    @Test func `a key that is none is refused, and no target takes no time`() async throws {
        let target = HandshakeProbe.Target(name: "x", address: "127.0.0.1", port: 9, publicKey: "not a key")
        await #expect(throws: HandshakeProbe.Failure.self) { try await HandshakeProbe().measure([target], privateKey: Secret("short")) }
        #expect(try await HandshakeProbe().measure([], privateKey: Secret("short")).isEmpty)
        #expect(try await HandshakeProbe(again: 5, timeout: 10).measure([target], privateKey: keys.privateKey).isEmpty)
    }
}
