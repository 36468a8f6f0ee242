@testable import HAProxyControl
import Model
import Planning
import Platform
import TestSupport
import Testing

/// Clients that take their time, on a real HAProxy: each holds a connection and gives nothing for it.
@Suite(.timeLimit(.minutes(2))) struct HAProxySlowTests {
    typealias Subject = GatewaySubject

    /// What a slow client says, one byte each quarter of a second, and by which entry.
    private struct Dawdler: Sendable {
        let what: String
        let port: Int
        let words: [UInt8]
        /// Sent at once, before the rest.
        var head: [UInt8] = []
    }

    private func dawdlers(_ settings: HAProxyConfiguration.Settings, tls: Int) -> [Dawdler] {
        let gateway = settings.gatewayPort
        let request = Array("GET http://target.test/ HTTP/1.1\r\nX-Long: \(String(repeating: "a", count: 300))".utf8)
        let greeting = [5, 255] + [UInt8](repeating: 1, count: 255)
        // A handshake of 508 bytes that never comes.
        let hello: [UInt8] = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC] + [UInt8](repeating: 3, count: 300)
        return [
            .init(what: "says nothing", port: gateway, words: []), .init(what: "says nothing to TLS", port: tls, words: []),
            .init(what: "an HTTP request", port: gateway, words: request), .init(what: "a SOCKS5 greeting", port: gateway, words: greeting),
            .init(what: "a SOCKS5 password", port: gateway, words: [1, 200] + [UInt8](repeating: 97, count: 200), head: [5, 1, 2]),
            .init(what: "a TLS handshake", port: tls, words: hello),
        ]
    }

    /// True when HAProxy has ended the connection.
    private func isEnded(_ dawdler: Dawdler, within seconds: Double) async throws -> Bool {
        let connection = try Raw(port: dawdler.port)
        connection.send(dawdler.head)
        return try await Blocking.run {
            let end = ContinuousClock.now + .seconds(seconds)
            var rest = dawdler.words[...]
            while ContinuousClock.now < end {
                if let byte = rest.popFirst() { connection.send([byte]) }
                if connection.receive(milliseconds: 250) == nil { return true }
            }
            return false
        }
    }

    @Test func `slow clients are cut on every entry, and a tunnel that is only quiet is not`() async throws {
        let folder = try TemporaryFolder()
        try Files.write(try await Subject.certificate("proxy-us.lab.test"), to: "\(folder.path)/lab.pem", mode: 0o600)
        let change: (inout HAProxyConfiguration.Settings) throws -> Void = { settings in
            settings.tlsPort = try Ports.free()
            settings.certificateSource = folder.path
            // Bounds the handshakes; the quiet tunnel is to outlive it.
            settings.responseTimeout = 1
        }
        try await Subject.with(change) { subject in
            let exit = try ScriptedServer { connection in
                guard connection.head() != nil else { return }
                connection.write("HTTP/1.1 200 Established\r\n\r\n")
                while let line = connection.head() { connection.write(line) }
            }
            try await subject.gateway.publish(
                GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, exit)])], users: [Subject.user("alice")]))
            let quiet = try Raw(port: subject.settings.gatewayPort, seconds: 60)
            let name = Base64.encode(Array("alice-country-us:\(Subject.password)".utf8))
            quiet.send("CONNECT target.test:80 HTTP/1.1\r\nHost: target.test:80\r\nProxy-Authorization: Basic \(name)\r\n\r\n")
            #expect(String(decoding: quiet.receive(milliseconds: 20_000) ?? [], as: UTF8.self).hasPrefix("HTTP/1.1 200"))
            let begin = ContinuousClock.now
            try await withThrowingTaskGroup(of: (String, Bool).self) { group in
                for dawdler in dawdlers(subject.settings, tls: try #require(subject.settings.tlsPort)) {
                    group.addTask { (dawdler.what, try await isEnded(dawdler, within: 70)) }
                }
                for try await (what, isEnded) in group { #expect(isEnded, "\(what)") }
            }
            #expect(exit.count == 2, "only the quiet one came as far as the exit: asked first, then led through")
            // Longer than what bounds a handshake.
            try await Task.sleep(until: begin + .seconds(subject.settings.handshakeTimeout + 2))
            quiet.send("still there\r\n\r\n")
            #expect(String(decoding: quiet.receive(milliseconds: 20_000) ?? [], as: UTF8.self).hasPrefix("still there"))
        }
    }
}
