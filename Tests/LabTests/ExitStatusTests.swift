import DockerEngine
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// What an exit says of its tunnel, by its own proxy.
    @Suite(.serialized) struct ExitStatusTests {
        private static func text(_ stage: Stage, _ exit: Endpoint, _ secret: Secret) async throws -> HTTPResponse {
            var request = HTTPRequest("GET", "http://\(exit)/status")
            request.headers = [("Proxy-Authorization", "Basic \(ExitCredentials.basic(secret))")]
            request.deadline = 5
            return try await stage.lab.client.send(request)
        }

        @Test(.timeLimit(.minutes(1))) func `an exit's status is what a program inside of it reads, and is told to nobody else`()
            async throws
        {
            try await Stage.with { stage in
                let server = try stage.lab.server("us-1")
                let exit = try await stage.launchAndServe(server)
                let own = TestLab.credentials.own(try #require(ExitID("us-1")), generation: 1)
                let before = try await stage.exits.tunnel(of: exit.container)
                let said = try await Self.text(stage, exit.endpoint, own)
                let status = try #require(ExitReport(said.text, at: SystemClock.now()), "\(said.status) \(said.text)")
                let after = try await stage.exits.tunnel(of: exit.container)
                #expect((before.received...after.received).contains(status.tunnel.received))
                #expect((before.sent...after.sent).contains(status.tunnel.sent) && status.tunnel.received > 0)
                #expect(status.tunnel.leaks == .counted(packets: 0, bytes: 0) && after.leaks == status.tunnel.leaks)
                let (age, read) = try (#require(status.tunnel.handshakeAge), #require(after.handshakeAge))
                #expect(abs(age - read) < 5)
                #expect(status.lookUps.count > 0 && status.connects.count > 0 && status.connections > 0)

                #expect(try await Self.text(stage, exit.endpoint, TestLab.credentials.pool(us)).status == 407)
                // Whoever takes the counter away is told of.
                _ = try await stage.run("nft", "delete", "table", "inet", "sallyport_leaks", in: exit.container)
                let late = try await Self.text(stage, exit.endpoint, own).text
                #expect(ExitReport(late, at: SystemClock.now())?.tunnel.leaks == .removed, "\(late)")
                #expect(try await stage.finish(exit: exit.endpoint, server: server.address) == [])
            }
        }

        @Test(.timeLimit(.minutes(1))) func `the controller runs no program in an exit that tells its status`() async throws {
            try await ControllerProcess.with { controller in
                _ = try await controller.open("us")
                let line = try await eventually("its status is read", within: 30) {
                    let metrics = try await controller.call("GET", "/metrics").text
                    return metrics.split(separator: "\n").first { $0.hasPrefix("sallyport_exit_handshake_age_seconds{") }
                }
                #expect(line.contains(#"exit="us-1""#))
                let words = ["-H", engineAddress ?? "", "events", "--since", "10m", "--until", "0s", "--filter", "event=exec_create"]
                let programs = try await Programs.run("docker", words + ["--filter", "container=\(controller.owner)-us-1-g1"])
                #expect(programs.status == 0 && !programs.output.contains("wg show"), "\(programs.output)")
            }
        }
    }
}
