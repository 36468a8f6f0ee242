import DockerEngine
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

/// All tests on the lab, one after the other: they share its servers, and the machine's two cores.
@Suite(.serialized, .enabled(if: engineAddress != nil, "DOCKER_HOST names no Docker Engine; `make test` starts one")) struct OnTheLab {}

extension OnTheLab {
    /// Nothing but WireGuard to the one endpoint ever leaves an exit.
    @Suite(.serialized) struct KillSwitchTests {
        @Test(.timeLimit(.minutes(1))) func `from start to stop only WireGuard leaves, and the capture would have seen more`() async throws
        {
            try await Stage.with { stage in
                let server = try stage.lab.server("us-1")
                let exit = try await stage.launchAndServe(server)
                for _ in 0..<5 {
                    #expect(try await stage.lab.get("http://www.lab.test/small", throughExit: exit.endpoint).body.count > 1400)
                }
                // A tunnel by CONNECT, as far as the certificate that nobody has signed.
                _ = try? await stage.lab.get("https://ip.lab.test/json", throughExit: exit.endpoint)
                _ = try? await stage.lab.get("http://six.lab.test/ip", throughExit: exit.endpoint)
                #expect(try await stage.leaksCounted(in: exit.container) == .counted(packets: 0, bytes: 0))
                let leaks = try await stage.finish(exit: exit.endpoint, server: server.address)
                #expect(leaks == [])
                let tunnel = try await stage.capture.packets("udp and dst host \(server.address)")
                #expect(tunnel.count > 10, "the capture saw the tunnel itself")
                let replies = try await stage.capture.packets("tcp and src host \(exit.endpoint.address)")
                #expect(replies.count > 10, "and the proxy's answers")
            }
        }

        @Test(.timeLimit(.minutes(1)), arguments: ["wg0 deleted", "wg0 down", "WireGuard killed", "entry point killed", "proxy killed"])
        func `nothing leaves when the tunnel breaks under load`(fault: String) async throws {
            try await Stage.with { stage in
                let server = try stage.lab.server("us-1")
                let exit = try await stage.launchAndServe(server)
                let load = Task {
                    while !Task.isCancelled {
                        _ = try? await stage.lab.get("http://ip.lab.test/ip", throughExit: exit.endpoint, deadline: 0.3)
                    }
                }
                switch fault {
                case "wg0 deleted": _ = try await stage.run("ip", "link", "del", "wg0", in: exit.container)
                case "wg0 down": _ = try await stage.run("ip", "link", "set", "wg0", "down", in: exit.container)
                case "WireGuard killed": _ = try await stage.run("busybox", "killall", "-9", "wireguard-go", in: exit.container)
                case "proxy killed":
                    // From outside: in the container nobody may kill a process of another user.
                    let pid = try await stage.lab.engine.inspectContainer(exit.container).state.pid
                    _ = try await Programs.run("pkill", ["-9", "--ns", String(pid), "--nslist", "pid", "exit-proxy"])
                default: try await stage.lab.engine.killContainer(exit.container)
                }
                try await eventually("the container ends by itself", within: 5) {
                    try await !stage.lab.engine.inspectContainer(exit.container).state.running
                }
                load.cancel()
                await load.value
                let leaks = try await stage.finish(exit: exit.endpoint, server: server.address)
                #expect(leaks == [])
            }
        }

        @Test(.timeLimit(.minutes(1))) func `a peer that never answers: nothing else leaves, the proxy never opens, the status is 65`()
            async throws
        {
            try await Stage.with { stage in
                let server = try stage.lab.server("us-1")
                let silent = stage.lab.lab.layout.internet
                let exit = try await stage.launch(server, address: silent)
                let refused = try? await stage.lab.get("http://ip.lab.test/ip", throughExit: exit.endpoint, deadline: 1)
                #expect(refused == nil)
                // Somebody inside who tries to leave beside the tunnel, as root.
                let attempt = Task { try? await stage.run("busybox", "nslookup", "leak.lab.test", server.address, in: exit.container) }
                try await eventually("it gives up", within: 20) {
                    try await !stage.lab.engine.inspectContainer(exit.container).state.running
                }
                #expect(try await stage.lab.engine.inspectContainer(exit.container).state.exitCode == 65)
                #expect(try await stage.lab.engine.logs(of: exit.container, lines: 20).contains("exit: handshake: no answer"))
                #expect(await attempt.value?.status != 0)
                let leaks = try await stage.finish(exit: exit.endpoint, server: silent)
                #expect(leaks == [])
            }
        }

        @Test(.timeLimit(.minutes(1))) func `what goes on in normal life is not counted as a leak`() async throws {
            try await Stage.with { stage in
                let server = try stage.lab.server("us-1")
                let exit = try await stage.launchAndServe(server)
                let download = Task { try? await stage.lab.get("http://www.lab.test/big", throughExit: exit.endpoint, deadline: 4) }
                // Packets that are too large for the way, and a tunnel that loses some.
                _ = try await stage.run("ip", "link", "set", "eth0", "mtu", "1300", in: exit.container)
                for _ in 0..<3 { _ = try? await stage.lab.get("http://www.lab.test/small", throughExit: exit.endpoint, deadline: 1) }
                _ = try await stage.run("ip", "link", "set", "eth0", "mtu", "1500", in: exit.container)
                // Connections that the exit's kernel forgets while the gateway goes on with them: it answers with a reset.
                _ = try await stage.run("busybox", "sh", "-c", Self.forget, in: exit.container)
                _ = await download.value
                // What an exit of its own accord says to its neighbours, and somebody inside who tries to get out.
                for words in [
                    ["ip", "link", "set", "eth0", "allmulticast", "on"], ["ip", "maddress", "add", "33:33:00:00:00:09", "dev", "eth0"],
                    ["busybox", "nslookup", "leak.lab.test", server.address], ["busybox", "nslookup", "leak.lab.test", "127.0.0.11"],
                    ["busybox", "nc", "-w", "1", stage.gateway, "80", "-e", "/bin/true"],
                ] { _ = try await stage.lab.engine.execute(words, in: exit.container) }
                #expect(try await stage.lab.get("http://ip.lab.test/ip", throughExit: exit.endpoint).text == "\(server.address)\n")
                #expect(try await stage.leaksCounted(in: exit.container) == .counted(packets: 0, bytes: 0))
                let leaks = try await stage.finish(exit: exit.endpoint, server: server.address)
                #expect(leaks == [])
            }
        }

        /// Has the kernel forget the connections that it knows, which a rule that makes it track none of them does for a moment.
        private static let forget = """
            nft add table inet forgetful
            nft add chain inet forgetful in '{ type filter hook prerouting priority raw; }'
            nft add rule inet forgetful in tcp dport 3128 notrack
            busybox sleep 1
            nft delete table inet forgetful
            """

        @Test(.timeLimit(.minutes(1)), arguments: ["table removed", "table opened", "counter removed", "its rule removed"])
        func `what gets past the firewall is counted, and a counter that is taken away is told`(fault: String) async throws {
            try await Stage.with { stage in
                let exit = try await stage.launchAndServe(try stage.lab.server("us-1"))
                switch fault {
                case "table removed": _ = try await stage.run("nft", "delete", "table", "inet", "sallyport", in: exit.container)
                case "table opened":
                    _ = try await stage.run("nft", "insert", "rule", "inet", "sallyport", "output", "accept", in: exit.container)
                case "counter removed": _ = try await stage.run("nft", "flush", "ruleset", in: exit.container)
                default: _ = try await stage.run("nft", "flush", "table", "inet", "sallyport_leaks", in: exit.container)
                }
                _ = try await stage.run("ip", "rule", "del", "not", "fwmark", "51820", "table", "51820", in: exit.container)
                _ = try? await stage.lab.get("http://ip.lab.test/ip", throughExit: exit.endpoint, deadline: 2)
                let counted = try await stage.leaksCounted(in: exit.container)
                if fault.hasPrefix("table") {
                    guard case .counted(let packets, let bytes) = counted else { throw TimeoutError(what: "\(counted)") }
                    #expect(packets > 0 && bytes >= 40 * packets)
                    let seen = try await stage.finish(exit: exit.endpoint, server: "198.18.255.255")
                    #expect(!seen.isEmpty, "the capture saw them too")
                } else {
                    #expect(counted == .removed)
                }
            }
        }

        @Test(.timeLimit(.minutes(1))) func `names are asked of the provider's resolver inside the tunnel alone`() async throws {
            try await Stage.with { stage in
                let server = try stage.lab.server("de-1")
                let exit = try await stage.launchAndServe(server)
                let name = "once-\(Digest.randomHex(bytes: 4)).lab.test"
                _ = try? await stage.lab.get("http://\(name)/ip", throughExit: exit.endpoint, of: server.country)
                let asked = try await eventually("the lab's resolver tells of it") { () -> [String]? in
                    let lines = try await stage.lab.lab.queries().filter { $0.contains(name) && $0.contains("query[") }
                    return lines.isEmpty ? nil : lines
                }
                #expect(asked.allSatisfy { $0.contains("from \(server.address)") || $0.contains(" \(server.address)/") }, "\(asked)")
                #expect(try await stage.capture.packets("port 53 and src host \(exit.endpoint.address)") == [])
                let leaks = try await stage.finish(exit: exit.endpoint, server: server.address)
                #expect(leaks == [])
            }
        }

        @Test(.timeLimit(.minutes(1))) func `nothing new gets in from the tunnel's side or from a neighbour`() async throws {
            try await Stage.with { stage in
                let server = try stage.lab.server("de-1")
                let exit = try await stage.launchAndServe(server)
                // Positive control: the gateway's way in works (launchAndServe); from the server's side it must not.
                let inside = try await stage.lab.lab.execute(
                    ["busybox", "nc", "-w", "2", "10.5.0.2", "3128", "-e", "/bin/true"], on: server)
                #expect(inside.status != 0)
                let rules = try await stage.run("nft", "list", "table", "inet", "sallyport", in: exit.container).output
                #expect(rules.contains("policy drop"))
                // A container beside it on the same network, as another exit would be.
                var neighbour = ContainerCreate(
                    image: ExitContainers.imageName("sallyport-exit", of: "\(projectFolder)/.build/images/exit.tar"), network: stage.owner)
                neighbour.entrypoint = ["busybox", "nc", "-w", "2", exit.endpoint.address, "3128", "-e", "/bin/true"]
                neighbour.labels = ["io.sallyport.owner": stage.owner]
                try await stage.lab.engine.createContainer(name: "\(stage.owner)-neighbour", neighbour)
                try await stage.lab.engine.startContainer("\(stage.owner)-neighbour")
                try await eventually("the neighbour gives up") {
                    try await !stage.lab.engine.inspectContainer("\(stage.owner)-neighbour").state.running
                }
                #expect(try await stage.lab.engine.inspectContainer("\(stage.owner)-neighbour").state.exitCode != 0)
                let answers = try await stage.capture.packets(
                    "tcp and src host \(exit.endpoint.address) and src port 3128 and not dst host \(stage.gateway)")
                #expect(answers == [])
                let leaks = try await stage.finish(exit: exit.endpoint, server: server.address)
                #expect(leaks == [])
            }
        }

        @Test(.timeLimit(.minutes(1))) func `an exit shows no secret and its proxy has no power`() async throws {
            try await Stage.with { stage in
                let server = try stage.lab.server("us-2")
                let exit = try await stage.launchAndServe(server)
                let key = stage.lab.lab.keys.client.privateKey
                let inspected = try await Programs.run("docker", ["-H", engineAddress ?? "", "inspect", exit.container])
                #expect(inspected.status == 0 && !inspected.output.contains(key))
                #expect(try await !stage.lab.engine.logs(of: exit.container, lines: 1000).contains(key))
                let file = try await stage.run("busybox", "ls", "/config/exit.conf", in: exit.container)
                #expect(file.status != 0, "the key's file is gone once the device holds the key")
                let pid = try await stage.run("busybox", "pidof", "exit-proxy", in: exit.container).output.split(separator: " ").first ?? ""
                let status = try await stage.run("busybox", "cat", "/proc/\(pid.filter(\.isNumber))/status", in: exit.container).output
                #expect(status.contains("CapEff:\t0000000000000000") && status.contains("Uid:\t65532\t65532\t65532\t65532"))
                let files = try await stage.run("busybox", "find", "/proxy", "-type", "f", in: exit.container).output
                #expect(files == "/proxy/bin/exit-proxy\n", "its root holds nothing else")
                let leaks = try await stage.finish(exit: exit.endpoint, server: server.address)
                #expect(leaks == [])
            }
        }

        @Test(.timeLimit(.minutes(1))) func `the image is under 15 MB`() async throws {
            let result = try await Programs.run("stat", ["-c", "%s", "\(projectFolder)/.build/images/exit.tar"])
            let bytes = try #require(Int(result.output.filter(\.isNumber)))
            #expect(bytes < 15_000_000)
        }

        @Test(.timeLimit(.minutes(1))) func `a bad key, endpoint or address is refused with the field's name, all at once`() async throws {
            try await Stage.with { stage in
                var specification = stage.lab.specification(try stage.lab.server("us-1"), address: "300.1.1.1", key: "c2hvcnQ=")
                specification.facts.clientAddress = "10.5.0.2/99"
                let exit = try? await stage.exits.launch(specification)
                let name = exit?.container ?? "\(stage.owner)-us-1-g1"
                try await eventually("it ends") { try await !stage.lab.engine.inspectContainer(name).state.running }
                #expect(try await stage.lab.engine.inspectContainer(name).state.exitCode == 64)
                let words = try await stage.lab.engine.logs(of: name, lines: 50)
                for field in ["PUBLIC_KEY", "ENDPOINT", "ADDRESS"] { #expect(words.contains("exit: \(field): "), "\(words)") }
                #expect(!words.contains(stage.lab.lab.keys.client.privateKey))
            }
        }
    }
}
