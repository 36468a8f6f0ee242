@testable import HAProxyControl
import Model
import Planning
import Platform
import TestSupport
import Testing

/// How long a tunnel may be silent: as long as the gateway promises, whatever the exit's proxy behind it holds for long.
@Suite(.timeLimit(.minutes(1))) struct HAProxyQuietTests {
    typealias Subject = GatewaySubject

    /// Seconds of silence that the exit's proxy allows, from its entry point.
    private func idleOfExit() throws -> Int {
        let script = try Files.read("\(Repository.root)/containers/exit/exit")
        let lines = script.split(separator: "\n")
        #expect(lines.contains("IDLE_SECONDS=$IDLE"))
        let line = try #require(lines.first { $0.hasPrefix("IDLE=") })
        return try #require(Int(line.drop { $0 != "=" }.dropFirst().prefix { $0.isNumber }))
    }

    @Test func `the exit's proxy lets a tunnel be silent for longer than the gateway does, and that is an hour`() throws {
        let settings = HAProxyConfiguration.Settings(gatewayAddress: "127.0.0.1", gatewayPort: 1, runDirectory: "/r", luaFolder: "/l")
        #expect(settings.tunnelTimeout == 3600)
        #expect(try idleOfExit() >= settings.tunnelTimeout + 60)
    }

    /// All figures are a 300th of the real ones: 12 s for the hour, and 4 s of silence for the 20 minutes.
    @Test(.enabled(if: ExitProxyProcess.isBuilt, "there is no .build/debug/exit-proxy"))
    func `a tunnel by either protocol that is silent for twenty minutes goes on through the exit's own proxy`() async throws {
        let scale = 300
        let target = try ScriptedServer { connection in while let line = connection.head() { connection.write(line + "\r\n\r\n") } }
        try await Subject.with({ $0.tunnelTimeout = 3600 / scale }, credentials: Subject.credentials) { subject in
            let (idle, secret) = ("IDLE_SECONDS=\(try idleOfExit() / scale)", Subject.credentials.pool(us).revealed)
            try await ExitProxyProcess.with(idle, secret: secret, folder: subject.folder.path) { port in
                let slot = Subject.slot(1, Endpoint(address: "127.0.0.1", port: port))
                try await subject.gateway.publish(GatewayLayout(pools: [Subject.pool(us, [slot])], users: [Subject.user("alice")]))

                let http = try Raw(port: subject.settings.gatewayPort, seconds: 60)
                let name = Base64.encode(Array("alice-country-us:\(Subject.password)".utf8))
                let place = "target.test:\(target.port)"
                http.send("CONNECT \(place) HTTP/1.1\r\nHost: \(place)\r\nProxy-Authorization: Basic \(name)\r\n\r\n")
                #expect(String(decoding: http.receive(milliseconds: 20_000) ?? [], as: UTF8.self).contains(" 200 "))
                let socks = try Raw(port: subject.settings.gatewayPort, seconds: 60)
                for (words, answer) in [
                    ([5, 1, 2], [5, 2]), ([1, 16] + Array("alice-country-us".utf8) + [19] + Array(Subject.password.utf8), [1, 0]),
                    (
                        [5, 1, 0, 3, 11] + Array("target.test".utf8) + [UInt8(target.port >> 8), UInt8(target.port & 255)],
                        [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]
                    ),
                ] as [([UInt8], [UInt8])] {
                    socks.send(words)
                    #expect(socks.receive(milliseconds: 20_000) == answer)
                }
                // Nothing comes for so long, on neither: neither side has ended it.
                #expect(http.receive(milliseconds: 4_000) == [] && socks.receive(milliseconds: 0) == [])
                for tunnel in [http, socks] {
                    tunnel.send("still there\r\n\r\n")
                    #expect(String(decoding: tunnel.receive(milliseconds: 20_000) ?? [], as: UTF8.self) == "still there\r\n\r\n")
                }
            }
        }
    }
}
