import DockerEngine
import Glibc
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

/// Where the machine has IPv6 at all.
private let kernelHasIPv6 = Files.exists("/proc/sys/net/ipv6")

extension OnTheLab {
    /// IPv6 inside the tunnel, and nowhere else.
    @Suite(.serialized, .enabled(if: kernelHasIPv6, "this kernel has no IPv6")) struct IPv6Tests {
        private static let own = "fd00:198::2"

        private func with(_ body: (Stage, LabServer, (container: String, endpoint: Endpoint), String) async throws -> Void) async throws {
            try await Stage.with { stage in
                let server = try stage.lab.server("us-1")
                let exit = try await stage.launchAndServe(server, address6: "\(Self.own)/128")
                try await body(stage, server, exit, "[\(stage.lab.lab.layout.internet6)]")
            }
        }

        private func answer(_ url: String, _ exit: Endpoint, _ stage: Stage, tunnels: Bool = false, deadline: Double = 5) async throws
            -> HTTPResponse
        {
            try await stage.lab.get(
                url, through: exit, user: ExitCredentials.user, password: TestLab.credentials.pool(us).revealed, deadline: deadline,
                tunnels: tunnels)
        }

        /// Packets of IPv6 from the exit's own interface, to whomever: none may be there.
        private func sixes(_ stage: Stage) async throws -> [String] {
            try await stage.capture.packets("ip6 and ether src \(stage.exitHardware)")
        }

        @Test(.timeLimit(.minutes(1))) func `targets by address and by name are reached through the tunnel, and nothing leaves beside it`()
            async throws
        {
            try await with { stage, server, exit, target in
                for tunnels in [false, true] {
                    for host in [target, "only6.test", "both.lab.test"] {
                        let text = try await answer("http://\(host)/ip", exit.endpoint, stage, tunnels: tunnels).text
                        #expect(text == "\(Self.own)\n", "\(host) \(tunnels)")
                    }
                    // A name whose IPv6 address nobody may reach, and one without any.
                    for host in ["six.lab.test", "ip.lab.test"] {
                        let text = try await answer("http://\(host)/ip", exit.endpoint, stage, tunnels: tunnels).text
                        #expect(text == "\(server.address)\n", "\(host) \(tunnels)")
                    }
                }
                // Nobody listens there.
                let closed = try await answer("http://\(target):81/", exit.endpoint, stage)
                #expect(closed.headers["x-sallyport-reason"] == "target_refused")
                #expect(try await stage.leaksCounted(in: exit.container) == .counted(packets: 0, bytes: 0))
                let counted = try await stage.exits.tunnel(of: exit.container)
                #expect(counted.received > 0 && counted.sent > 0)
                #expect(try await stage.finish(exit: exit.endpoint, server: server.address) == [])
                #expect(try await sixes(stage) == [])
                #expect(
                    try await stage.capture.packets("udp and dst host \(server.address)").count > 10, "the capture saw the tunnel itself")
            }
        }

        @Test(.timeLimit(.minutes(1))) func `no form of an address leads to the exit itself or into a private network`() async throws {
            try await with { stage, server, exit, _ in
                let (own, gateway) = (exit.endpoint.address, stage.gateway)
                for host in [
                    "::1", "::", Self.own, "fd00:198::1", "fe80::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:\(own)", "::ffff:\(gateway)",
                    "::\(own)", "64:ff9b::\(own)", "64:ff9b:1::\(own)", "2002:ac1f:0001::1", "2002:7f00:0001::1", "2001:0:1:2::\(own)",
                    "2606:4700::5efe:\(own)", "2001:db8::1",
                ] {
                    for port in [3128, 80] {
                        let said = try await answer("http://[\(host)]:\(port)/", exit.endpoint, stage).headers["x-sallyport-reason"]
                        #expect(said == "target_not_allowed", "\(host)")
                    }
                }
                let seen = "tcp and src host \(own) and not (src port 3128 and dst host \(gateway))"
                #expect(try await stage.capture.packets(seen) == [])
                // The firewall alone refuses them too, the proxy's user and root.
                let rules = try await stage.run("nft", "list", "chain", "inet", "sallyport", "tunnel", in: exit.container).output
                #expect(rules.contains("4000::") && rules.contains("2002:a00::/24") && rules.contains("ip6 saddr \(Self.own)"))
                // The server's own address has the same web server.
                for (host, isOpen) in [(stage.lab.lab.layout.internet6, true), ("fd00:198::1", false)] {
                    // A program that is not there is looked for once the connection stands.
                    let said = try await stage.run("busybox", "nc", "-w", "2", host, "80", "-e", "/none", in: exit.container).output
                    #expect(said.contains("/none") == isOpen, "\(host) \(said)")
                }
                #expect(try await stage.finish(exit: exit.endpoint, server: server.address) == [])
            }
        }

        @Test(.timeLimit(.minutes(1)), arguments: ["wg0 deleted", "wg0 down", "WireGuard killed", "entry point killed"])
        func `nothing leaves when the tunnel breaks under load by IPv6`(fault: String) async throws {
            try await with { stage, server, exit, target in
                let load = Task {
                    while !Task.isCancelled { _ = try? await answer("http://\(target)/ip", exit.endpoint, stage, deadline: 0.3) }
                }
                switch fault {
                case "wg0 deleted": _ = try await stage.run("ip", "link", "del", "wg0", in: exit.container)
                case "wg0 down": _ = try await stage.run("ip", "link", "set", "wg0", "down", in: exit.container)
                case "WireGuard killed": _ = try await stage.run("busybox", "killall", "-9", "wireguard-go", in: exit.container)
                default: try await stage.lab.engine.killContainer(exit.container)
                }
                try await eventually("the container ends by itself", within: 5) {
                    try await !stage.lab.engine.inspectContainer(exit.container).state.running
                }
                load.cancel()
                await load.value
                #expect(try await stage.finish(exit: exit.endpoint, server: server.address) == [])
                #expect(try await sixes(stage) == [])
            }
        }

        @Test(.timeLimit(.minutes(1))) func `IPv6 is off beside the tunnel, where somebody opens the firewall too`() async throws {
            try await with { stage, server, exit, target in
                for (interface, isOff) in [("eth0", "1"), ("wg0", "0")] {
                    let path = "/proc/sys/net/ipv6/conf/\(interface)/disable_ipv6"
                    #expect(try await stage.run("busybox", "cat", path, in: exit.container).output.contains(isOff), "\(interface)")
                }
                _ = try await stage.run("nft", "delete", "table", "inet", "sallyport", in: exit.container)
                for words in [
                    ["ip", "-6", "route", "del", "default", "dev", "wg0"], ["ip", "-6", "route", "add", "default", "dev", "eth0"],
                    ["ip", "-6", "address", "add", "fd99::1/64", "dev", "eth0", "nodad"],
                    ["busybox", "sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6"],
                ] { _ = try await stage.lab.engine.execute(words, in: exit.container) }
                _ = try? await answer("http://\(target)/ip", exit.endpoint, stage, deadline: 2)
                #expect(try await stage.finish(exit: exit.endpoint, server: "198.18.255.255").filter { $0.contains(" IP6 ") } == [])
                #expect(try await sixes(stage) == [])
            }
        }

        @Test(.timeLimit(.minutes(1))) func `what leaves by IPv6 on another interface is dropped, and counted where the firewall is open`()
            async throws
        {
            try await with { stage, _, exit, target in
                func go() async throws {
                    _ = try? await answer("http://\(target)/ip", exit.endpoint, stage, deadline: 1)
                }
                // An interface that comes later, as one more network's would, has IPv6.
                for words in [
                    ["link", "add", "v0", "type", "veth", "peer", "name", "v1"], ["link", "set", "v1", "up"], ["link", "set", "v0", "up"],
                    ["-6", "address", "add", "fd99::1/64", "dev", "v0", "nodad"], ["-6", "route", "del", "default", "dev", "wg0"],
                    ["-6", "neigh", "add", "fd99::2", "lladdr", "02:00:00:00:00:01", "dev", "v0"],
                    ["-6", "route", "add", "default", "via", "fd99::2", "dev", "v0"],
                ] {
                    let result = try await stage.lab.engine.execute(["ip"] + words, in: exit.container)
                    #expect(result.status == 0, "\(words) \(result.output)")
                }
                try await go()
                #expect(try await stage.leaksCounted(in: exit.container) == .counted(packets: 0, bytes: 0), "the firewall drops it")
                _ = try await stage.run("nft", "insert", "rule", "inet", "sallyport", "output", "accept", in: exit.container)
                try await go()
                guard case .counted(let packets, let bytes) = try await stage.leaksCounted(in: exit.container) else {
                    throw TimeoutError(what: "a count")
                }
                #expect(packets > 0 && bytes >= 60 * packets)
            }
        }

        @Test(.timeLimit(.minutes(1))) func `an exit without an address of it refuses IPv6, and has none anywhere`() async throws {
            try await Stage.with { stage in
                let server = try stage.lab.server("us-1")
                let exit = try await stage.launchAndServe(server)
                for host in ["[\(stage.lab.lab.layout.internet6)]", "only6.test"] {
                    let said = try await answer("http://\(host)/ip", exit.endpoint, stage)
                    #expect(said.status == 502 && said.headers["x-sallyport-reason"] == "address_not_supported")
                }
                #expect(try await answer("http://both.lab.test/ip", exit.endpoint, stage).text == "\(server.address)\n")
                for interface in ["all", "eth0", "wg0"] {
                    let path = "/proc/sys/net/ipv6/conf/\(interface)/disable_ipv6"
                    #expect(try await stage.run("busybox", "cat", path, in: exit.container).output.contains("1"), "\(interface)")
                }
                #expect(try await stage.finish(exit: exit.endpoint, server: server.address) == [])
                #expect(try await sixes(stage) == [])
            }
        }

        @Test(.timeLimit(.minutes(1))) func `addresses that no tunnel can have are refused with the field's name`() async throws {
            for address in ["fe80::1/64", "::1/128", "ff02::1/128", "fd00::1", "2001:db8::1/200", "10.0.0.1/32", "fd00::1::2/64"] {
                try await Stage.with { stage in
                    let name = (try? await stage.exits.launch(specification(stage, address)))?.container ?? "\(stage.owner)-us-1-g1"
                    try await eventually("it ends") { try await !stage.lab.engine.inspectContainer(name).state.running }
                    #expect(try await stage.lab.engine.inspectContainer(name).state.exitCode == 64)
                    #expect(try await stage.lab.engine.logs(of: name, lines: 50).contains("exit: ADDRESS6: "))
                }
            }
        }

        private func specification(_ stage: Stage, _ address: String) throws -> ExitSpecification {
            var specification = stage.lab.specification(try stage.lab.server("us-1"))
            specification.facts.clientAddress6 = address
            return specification
        }

        private func curl(_ words: [String]) async throws -> String {
            try await Programs.run("curl", ["-sg", "-m", "5", "-U", "alice-country-us:\(ControllerProcess.password)"] + words).output
        }

        @Test(.timeLimit(.minutes(2))) func `a file with an IPv6 address leads users there by CONNECT, plain HTTP and SOCKS5`() async throws
        {
            try await ControllerProcess.with { lab in
                try ControllerProcess(
                    lab, moreProviders: "  wireguard:\n    directory: FOLDER/files\n"
                ) { folder in
                    try Files.makePrivateFolder("\(folder)/files")
                    let account = try #require(lab.lab.keys.account("alice"))
                    let text = WireGuardFolderTests.text(try lab.server("us-2"), account, lab, hasIPv6: true)
                    try Files.write(text, to: "\(folder)/files/us-six.conf", mode: 0o600)
                    return "    access_token_file: \(folder)/token\n"
                }
            } _: { controller in
                let pool = #"{"size": 1, "provider": "wireguard"}"#
                #expect(try await controller.call("PUT", "/api/pools/us", pool).status < 300)
                let shown = try await eventually("an exit serves", within: 40) {
                    try await controller.call("GET", "/api/exits").text.contains(#""state":"serving""#)
                        ? try await controller.call("GET", "/api/exits").text : nil
                }
                #expect(shown.contains(#""ipv6":true"#))
                let (own, six) = (try #require(controller.lab.lab.keys.account("alice")).address6, controller.lab.lab.layout.internet6)
                let answer = "\(own.prefix { $0 != "/" })\n"
                for host in ["[\(six)]", "only6.test", "both.lab.test"] {
                    for way in [["-x", "http://\(controller.gateway)"], ["-p", "-x", "http://\(controller.gateway)"]] {
                        #expect(try await curl(way + ["http://\(host)/ip"]) == answer, "\(host) \(way)")
                    }
                    #expect(try await curl(["-x", "socks5h://\(controller.gateway)", "http://\(host)/ip"]) == answer, "\(host) by SOCKS5")
                }
                // Another country's exit has no IPv6.
                #expect(try await controller.call("PUT", "/api/pools/de", #"{"size": 1}"#).status < 300)
                try await eventually("it serves", within: 40) { try await controller.proxied("de").status == 200 }
                let refused = try await controller.proxied("de", url: "http://[\(six)]/ip")
                #expect(refused.status == 502 && refused.headers["x-sallyport-reason"] == "address_not_supported")
                let health = try await controller.call("GET", "/api/exits").text
                #expect(!health.contains(#""leaked_packets":1"#) && health.contains(#""ipv6":false"#))
            }
        }
    }
}
