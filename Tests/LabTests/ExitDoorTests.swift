import DockerEngine
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// An exit answers only to who knows it, and refuses again what the gateway refuses.
    @Suite(.serialized) struct ExitDoorTests {
        private static let credentials = TestLab.credentials

        private func status(
            _ stage: Stage, _ exit: Endpoint, _ password: String?, url: String = "http://ip.lab.test/ip", tunnels: Bool = false
        )
            async throws -> Int
        {
            var request = HTTPRequest("GET", url)
            request.go(
                through: HTTPProxy(
                    endpoint: exit, user: password == nil ? nil : ExitCredentials.user, password: password.map { Secret($0) }))
            request.tunnels = tunnels
            request.deadline = 5
            do { return try await stage.lab.client.send(request).status } catch let error as TransportError where error.proxyStatus > 0 {
                return error.proxyStatus
            }
        }

        @Test(.timeLimit(.minutes(1))) func `an exit asked directly answers to its own secret, its pool's and its city's alone`()
            async throws
        {
            try await Stage.with { stage in
                let server = try stage.lab.server("us-1")
                let exit = try await stage.launchAndServe(server)
                let id = try #require(ExitID("us-1"))
                let own = Self.credentials.own(id, generation: 1).revealed
                let known = [own, Self.credentials.pool(us).revealed, Self.credentials.city("newyork", of: us).revealed]
                let de = try #require(CountryCode("de"))
                let unknown = [
                    nil, "", "wrong", Self.credentials.own(id, generation: 2).revealed, Self.credentials.pool(de).revealed,
                    Self.credentials.city("dallas", of: us).revealed, own.uppercased(), String(own.dropLast()),
                ]
                let before = try await stage.lab.lab.queries().count
                for tunnels in [false, true] {
                    for password in unknown {
                        let status = try await status(stage, exit.endpoint, password, url: "http://never.lab.test/ip", tunnels: tunnels)
                        #expect(status == 407, "\(password ?? "nothing") \(tunnels)")
                    }
                }
                let asked = try await stage.lab.lab.queries().dropFirst(before).filter { $0.contains("never.lab.test") }
                #expect(asked.isEmpty, "nothing left for who is not known")
                for password in known {
                    #expect(try await status(stage, exit.endpoint, password) == 200)
                    #expect(try await status(stage, exit.endpoint, password, tunnels: true) == 200)
                }
                // It is nowhere to be seen but in the proxy's own memory.
                let inspected = try await Programs.run("docker", ["-H", engineAddress ?? "", "inspect", exit.container]).output
                let logs = try await stage.exits.logs(of: exit.container, lines: 1000)
                let processes = try await stage.run("busybox", "ps", in: exit.container).output
                for secret in known { #expect(![inspected, logs, processes].contains { $0.contains(secret) }) }
                let search = "busybox grep -lE '\(known.joined(separator: "|"))'"
                let files = "busybox find /proxy /run /config /tmp /etc -type f -exec \(search) {} +"
                let all = "{ \(files); \(search) /proc/[0-9]*/environ; } 2>/dev/null; echo searched"
                #expect(try await stage.run("busybox", "sh", "-c", all, in: exit.container).output == "searched\n")
                #expect(try await stage.finish(exit: exit.endpoint, server: server.address) == [])
            }
        }

        @Test(.timeLimit(.minutes(1))) func `no target is told of an exit's secret`() async throws {
            try await Stage.with { stage in
                let server = try stage.lab.server("us-1")
                let exit = try await stage.launchAndServe(server)
                let target = try stage.lab.server("gb-1")
                let recorded = Task {
                    try await stage.lab.lab.execute(["busybox", "timeout", "20", "busybox", "nc", "-l", "-p", "8099"], on: target).output
                }
                let url = "http://\(target.address):8099/recorded"
                _ = try await eventually("the target is reached") {
                    let answer = try? await stage.lab.get(url, throughExit: exit.endpoint, deadline: 1)
                    // Until somebody listens there; what he then says is no HTTP.
                    return answer?.headers["x-sallyport-reason"] == "target_refused" ? nil : true
                }
                let head = try await recorded.value
                #expect(head.contains("GET /recorded") && head.lowercased().contains("host: \(target.address)"), "\(head)")
                #expect(!head.lowercased().contains("authorization"), "\(head)")
                #expect(try await stage.finish(exit: exit.endpoint, server: server.address) == [])
            }
        }

        @Test(.timeLimit(.minutes(1))) func `closed ports and refused networks are refused by the exit's proxy, and again by its firewall`()
            async throws
        {
            let (gb, de) = try await (TestLab.shared.value.server("gb-1"), TestLab.shared.value.server("de-1"))
            let refused = RefusedTargets(
                closedPorts: [443], networks: ["\(gb.address)/24", "::ffff:198.19.2.11", "fd00::/8", "198.19.2.0/32"],
                ownAddresses: { [de.address, "2001:db8::1"] })
            try await Stage.with(refused: refused) { stage in
                let server = try stage.lab.server("us-1")
                let exit = try await stage.launchAndServe(server)
                let internet = stage.lab.lab.layout.container("internet")
                let line = "\(gb.address) inside.lab.test"
                _ = try await stage.lab.engine.execute(["busybox", "sh", "-c", "echo '\(line)' >/run/names/door"], in: internet)
                let secret = Self.credentials.pool(us).revealed
                func ask(_ url: String, tunnels: Bool) async throws -> Int {
                    try await status(stage, exit.endpoint, secret, url: url, tunnels: tunnels)
                }
                for url in [
                    "http://www.lab.test:443/", "http://\(gb.address)/", "http://inside.lab.test/", "http://\(de.address)/",
                    "http://198.19.2.11/", "http://10.5.0.1/", "http://127.0.0.1:3128/",
                ] {
                    for tunnels in [false, true] {
                        let start = ContinuousClock.now
                        #expect(try await ask(url, tunnels: tunnels) == 403, "\(url) \(tunnels)")
                        #expect(ContinuousClock.now - start < .seconds(4), "\(url) is refused at once")
                    }
                }
                #expect(try await ask("http://www.lab.test/small", tunnels: false) == 200)
                // Somebody in the container who does not ask the proxy.
                for address in [gb.address, de.address, "198.19.2.11", "10.5.0.1", stage.lab.lab.layout.internet] {
                    let port = address == stage.lab.lab.layout.internet ? "443" : "80"
                    let words = ["busybox", "timeout", "4", "busybox", "nc", address, port]
                    let (start, direct) = try await (ContinuousClock.now, stage.lab.engine.execute(words, in: exit.container))
                    #expect(direct.status != 0 && ContinuousClock.now - start < .seconds(4), "\(address) \(port)")
                }
                let left = try await stage.run("nft", "list", "chain", "inet", "sallyport", "tunnel", in: exit.container).output
                func packets(_ rule: String) -> Int {
                    let line = left.split(separator: "\n").first { $0.contains(rule) && $0.contains("reject") } ?? ""
                    return line.split(separator: " ").drop { $0 != "packets" }.dropFirst().first.flatMap { Int($0) } ?? 0
                }
                #expect(packets("@refused") >= 3 && packets("224.0.0.0") >= 1 && packets("dport 443") >= 1, "it was these rules: \(left)")
                #expect(try await stage.finish(exit: exit.endpoint, server: server.address) == [])
            }
        }
    }
}
