import ExitProxy
import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
@testable import sallyport
import TestSupport
import Testing

/// The status of the exit's own proxy behind a real HAProxy.
@Suite(.timeLimit(.minutes(1))) struct ExitStatusTests {
    private typealias Subject = GatewaySubject

    @Test func `the exit's proxy is of the same version as the controller`() {
        #expect(Proxy.version == Version.current)
    }

    /// The worst case: the gateway's secret is the one that opens the status.
    @Test(.enabled(if: ExitProxyProcess.isBuilt, "there is no .build/debug/exit-proxy"))
    func `no proxy user gets an exit's status, in whatever form it is asked for`() async throws {
        let target = try ScriptedServer { connection in
            while connection.head() != nil { connection.answer(200, "target") }
        }
        defer { target.stop() }
        try await Subject.with(credentials: Subject.credentials) { subject in
            let secret = Subject.credentials.pool(us).revealed
            try await ExitProxyProcess.with("", secret: secret, folder: subject.folder.path) { port in
                var direct = HTTPRequest("GET", "http://127.0.0.1:\(port)/status")
                direct.headers = [("Proxy-Authorization", "Basic \(ExitCredentials.basic(Secret(secret)))")]
                #expect(try await subject.client.send(direct).text.hasPrefix("version "))

                let slot = Subject.slot(1, Endpoint(address: "127.0.0.1", port: port))
                try await subject.gateway.publish(GatewayLayout(pools: [Subject.pool(us, [slot])], users: [Subject.user("alice")]))
                let name = Base64.encode(Array("alice-country-us:\(Subject.password)".utf8))
                let place = "target.test:\(target.port)"
                for (line, host) in [
                    ("GET /status", place), ("GET /status", "127.0.0.1:\(port)"), ("GET http:///status", ""), ("GET http:/status", ""),
                    ("GET http://\(place)/status", place), ("GET http://127.0.0.1:\(port)/status", "127.0.0.1:\(port)"),
                    ("PREPARE /status", place), ("GET status", place),
                ] {
                    let client = try Raw(port: subject.settings.gatewayPort, seconds: 20)
                    let fields = "Host: \(host)\r\nProxy-Authorization: Basic \(name)\r\nConnection: close\r\n"
                    client.send("\(line) HTTP/1.1\r\n\(fields)\r\n")
                    var said: [UInt8] = []
                    while let more = client.receive(milliseconds: 15_000), !more.isEmpty { said += more }
                    let text = String(decoding: said, as: UTF8.self)
                    #expect(text.hasPrefix("HTTP/1.1 ") && !text.contains("lookups"), "\(line): \(text)")
                    if line.contains(place) { #expect(text.hasSuffix("target"), "\(line): \(text)") }
                }
            }
        }
    }
}
