import DockerEngine
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// A port is free again a second after its connection, and not after the minute that TCP waits otherwise.
    @Suite(.serialized) struct PortReuseTests {
        @Test(.timeLimit(.minutes(1))) func `an exit whose ports for a target are used up reaches it again a moment later`() async throws {
            try await Stage.with { stage in
                let exit = try await stage.launchAndServe(try stage.lab.server("us-1"))
                let pid = try await stage.lab.engine.inspectContainer(exit.container).state.pid
                let few = "net.ipv4.ip_local_port_range=40000 40003"
                #expect(try await Programs.run("nsenter", ["-t", "\(pid)", "-n", "sysctl", "-q", "-w", few]).status == 0)
                /// Whether a tunnel reaches the target; the client ends it, so that the exit keeps its port.
                func reaches() async throws -> Bool {
                    let secret = TestLab.credentials.pool(us).revealed
                    let proxy = "http://\(ExitCredentials.user):\(secret)@\(exit.endpoint.address):\(exit.endpoint.port)"
                    let words = ["-s", "-o", "/dev/null", "-f", "-m", "5", "-p", "-x", proxy, "http://www.lab.test/small"]
                    return try await Programs.run("curl", words).status == 0
                }
                try await eventually("all ports are used", within: 20) { try await !reaches() }
                try await eventually("one is free again", within: 10) { try await reaches() }
                #expect(try await stage.finish(exit: exit.endpoint, server: stage.lab.server("us-1").address) == [])
            }
        }
    }
}
