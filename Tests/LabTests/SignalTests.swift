import DockerEngine
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// Exits that only look alive: each fault of a server is found out, named, and left behind.
    @Suite struct SignalTests {
        @Test(
            .timeLimit(.minutes(2)),
            arguments: [("mtu 1000", "mtu"), ("country DE", "wrong_country"), ("no names by UDP", "dns_failed")])
        func `a server that breaks in its own way is left for another, with the reason`(fault: String, reason: String) async throws {
            try await ControllerProcess.with(Self.quick) { controller in
                let exit = try await controller.open("us")
                let server = try #require(controller.lab.lab.layout.servers.first { $0.address == exit.server?.address })
                if reason == "dns_failed" {
                    // Only who was seen to find names can be told to find none.
                    func asked() async throws -> Int {
                        try await controller.lab.lab.queries().count { $0.contains("check.lab.test") && $0.contains(server.address) }
                    }
                    let before = try await asked()
                    try await eventually("a deep probe has asked for a name") { try await asked() > before }
                }
                try await controller.misbehave(server, fault)
                let new = try? await eventually("another server serves", within: 60) {
                    try await controller.exits().first { $0.state == "serving" && $0.server?.address != server.address }
                }
                let events = try await controller.call("GET", "/api/events?limit=1000").text
                try await controller.heal(server)
                #expect(new != nil, "\(events)")
                #expect(events.contains("\"reason\":\"\(reason)\""), "\(events)")
                #expect(try await controller.proxied("us").status == 200)
            }
        }

        @Test(.timeLimit(.minutes(3))) func `while the address services answer nobody no exit is blamed for it`() async throws {
            try await ControllerProcess.with(Self.quick) { controller in
                let before = try await controller.open("us")
                func deepProbes() async throws -> Int {
                    let lines = try await controller.call("GET", "/metrics").text.split(separator: "\n")
                    return lines.filter { $0.hasPrefix("sallyport_probes_total") && $0.contains("\"deep\"") }
                        .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0) { $0 + Int($1) }
                }
                // They still take connections: on a tunnel alone that would look like packets that are too large.
                try await controller.webServers("STOP")
                do {
                    let begun = try await deepProbes()
                    try await eventually("deep probes have asked in vain, twice", within: 120) { try await deepProbes() >= begun + 3 }
                } catch {
                    try await controller.webServers("CONT")
                    throw error
                }
                let during = try await controller.exits()
                try await controller.webServers("CONT")
                #expect(
                    during.map(\.id) == [before.id] && during.first?.state == "serving" && during.first?.generation == before.generation,
                    "\(during) \(controller.log.suffix(4000))")
            }
        }

        @Test(.timeLimit(.minutes(2))) func `an exit that leaks after all is found out, and cut off at once`() async throws {
            try await ControllerProcess.with({ try ControllerProcess($0, dockerExtra: "health: {deep_seconds: 2}", mayLeak: true) }) {
                controller in
                let exit = try await controller.open("us")
                let container = try #require(try await controller.containers().first)
                // Somebody tears the kill switch down, and leads everything around the tunnel.
                for words in [["nft", "flush", "ruleset"], ["ip", "rule", "del", "not", "fwmark", "51820", "table", "51820"]] {
                    let result = try await controller.lab.engine.execute(words, in: container)
                    #expect(result.status == 0, "\(words): \(result.output)")
                }
                let new = try? await eventually("another exit serves", within: 60) {
                    try await controller.exits().first { $0.state == "serving" && $0.generation > exit.generation }
                }
                let events = try await controller.call("GET", "/api/events?limit=1000").text
                #expect(new != nil && events.contains("\"reason\":\"leak\""), "\(events)")
                try await eventually("its container is removed") { try await !controller.containers().contains(container) }
                #expect(try await controller.proxied("us").text == "\(new?.server?.address ?? "")\n")
            }
        }

        @Test(.timeLimit(.minutes(3))) func `a leak that no address service tells of is counted by the exit itself, and cut off`()
            async throws
        {
            // No deep probe for hours.
            try await ControllerProcess.with({ try ControllerProcess($0, dockerExtra: "health: {deep_seconds: 3600}", mayLeak: true) }) {
                controller in
                let exit = try await controller.open("us")
                let container = try #require(try await controller.containers().first)
                try await eventually("its counter is read", within: 30) {
                    try await controller.call("GET", "/api/exits/us-1/health").text.contains("\"leaked_packets\":0")
                }
                for words in [
                    ["nft", "delete", "table", "inet", "sallyport"], ["busybox", "nslookup", "www.lab.test", exit.server?.address ?? ""],
                ] { _ = try await controller.lab.engine.execute(words, in: container) }
                _ = try await controller.lab.engine.execute(
                    ["ip", "rule", "del", "not", "fwmark", "51820", "table", "51820"], in: container)
                _ = try await controller.lab.engine.execute(["busybox", "nslookup", "www.lab.test", "198.18.0.53"], in: container)
                let new = try await eventually("another exit serves", within: 100) {
                    try await controller.exits().first { $0.state == "serving" && $0.generation > exit.generation }
                }
                let events = try await controller.call("GET", "/api/events?limit=1000").text
                #expect(events.contains("\"reason\":\"leak\"") && events.contains("beside its tunnel"), "\(events)")
                #expect(try await controller.call("GET", "/api/alerts").text.contains("\"leak:us-1\""))
                #expect(new.generation == exit.generation + 1)
                try await eventually("its container is removed") { try await !controller.containers().contains(container) }
            }
        }

        @Test(.timeLimit(.minutes(1))) func `a standby is there at once when a server falls silent`() async throws {
            try await ControllerProcess.with { controller in
                #expect(try await controller.call("PUT", "/api/pools/us", #"{"size":1,"standby":1}"#).status == 201)
                let exits = try await eventually("one serves and one stands by", within: 30) {
                    let exits = try await controller.exits()
                    return exits.count == 2 && Set(exits.map(\.state)) == ["serving", "standby"] ? exits : nil
                }
                let standby = try #require(exits.first { $0.state == "standby" })
                let serving = try #require(exits.first { $0.state == "serving" })
                #expect(standby.server?.address != serving.server?.address)
                #expect(try await controller.proxied("us").text == "\(serving.server?.address ?? "")\n")
                let server = try #require(controller.lab.lab.layout.servers.first { $0.address == serving.server?.address })
                try await controller.lab.lab.control(server, "blackhole")
                let took = try? await eventually("the standby serves", within: 20) {
                    try await controller.exits().first { $0.id == standby.id && $0.state == "serving" }
                }
                #expect(took?.generation == standby.generation, "its tunnel was there before")
                let answer = try await controller.proxied("us")
                try await controller.heal(server)
                #expect(answer.text == "\(standby.server?.address ?? "")\n")
            }
        }

        @Test(.timeLimit(.minutes(2))) func `a tunnel that loses packets and is full moves nobody`() async throws {
            try await ControllerProcess.with { controller in
                let exit = try await controller.open("us")
                let server = try #require(controller.lab.lab.layout.servers.first { $0.address == exit.server?.address })
                try await controller.misbehave(server, "loss 2%")
                let download = Task {
                    try await Programs.run(
                        "curl",
                        [
                            "-s", "-o", "/dev/null", "-m", "25", "-x", "http://127.0.0.1:\(controller.gateway.port)", "-U",
                            "alice-country-us:\(ControllerProcess.password)", "http://www.lab.test/big",
                        ], deadline: 40)
                }
                _ = try? await download.value
                let after = try await controller.exits()
                try await controller.heal(server)
                #expect(after.count == 1 && after.first?.generation == exit.generation && after.first?.server?.address == server.address)
                let events = try await controller.call("GET", "/api/events?limit=1000&kind=pool.failover").text
                #expect(!events.contains("is lost"), "\(events)")
            }
        }

        @Test(.timeLimit(.minutes(2))) func `a key that the servers refuse is told as that, and not tried again and again`() async throws {
            try await ControllerProcess.with { controller in
                let servers = controller.lab.lab.layout.servers
                for server in servers { try await controller.refuseKey(server) }
                _ = try await controller.call("PUT", "/api/pools/us", #"{"size":2}"#)
                _ = try await controller.call("PUT", "/api/pools/de", #"{"size":2}"#)
                let alert: String = try await eventually("the alert is there", within: 60, every: 500) {
                    let text = try await controller.call("GET", "/api/alerts").text
                    return text.contains("credential:nordvpn") ? text : nil
                }
                let before = try await controller.exits().map(\.generation).reduce(0, +)
                try await Task.sleep(for: .seconds(8))
                let after = try await controller.exits().map(\.generation).reduce(0, +)
                for server in servers { try await controller.acceptKey(server) }
                #expect(alert.contains("renew the token or key"))
                #expect(after - before <= 2, "\(after - before) launches in eight seconds")
            }
        }

        /// Deep probes at short intervals, so that a test needn't wait for them.
        private static func quick(_ lab: TestLab) throws -> ControllerProcess {
            try ControllerProcess(lab, dockerExtra: "health: {deep_seconds: 2}")
        }
    }
}

extension ControllerProcess {
    /// One of the faults of containers/lab/control.
    func misbehave(_ server: LabServer, _ fault: String) async throws {
        let words = fault.split(separator: " ").map(String.init)
        if words.first == "country" {
            try await internet(["country", server.address] + words.dropFirst())
        } else if fault == "no names by UDP" {
            // The resolver still takes TCP connections. `heal` takes this away too.
            let rules = "table inet control_nodns { chain in { type filter hook prerouting priority raw; udp dport 53 drop; }; }"
            try await run(["nft", rules], in: server.container)
        } else {
            try await run(["/control"] + words, in: server.container)
        }
    }

    func heal(_ server: LabServer) async throws {
        try await run(["/control", "heal"], in: server.container)
        try await internet(["country", server.address, server.country.rawValue])
    }

    func refuseKey(_ server: LabServer) async throws {
        try await run(["/control", "refuse", lab.lab.keys.client.publicKey], in: server.container)
    }
    func acceptKey(_ server: LabServer) async throws {
        try await run(["/control", "accept", lab.lab.keys.client.publicKey], in: server.container)
    }

    /// Stops the web servers of the lab's internet where they are, or lets them go on.
    func webServers(_ signal: String) async throws {
        let script = "for p in /proc/[0-9]*; do grep -q nginx $p/comm && kill -\(signal) ${p#/proc/}; done; true"
        try await run(["busybox", "sh", "-c", script], in: "internet")
    }

    private func internet(_ words: [String]) async throws { try await run(["/control"] + words, in: "internet") }

    private func run(_ words: [String], in container: String) async throws {
        let result = try await lab.engine.execute(words, in: lab.lab.layout.container(container))
        guard result.status == 0 else { throw TimeoutError(what: "\(words.joined(separator: " ")): \(result.output)") }
    }
}
