import DockerEngine
import Glibc
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// What happens when parts die: containers, the controller, Redis, HAProxy, the engine.
    @Suite(.serialized) struct BadLuckTests {
        @Test(.timeLimit(.minutes(1))) func `an exit whose container is killed is replaced, and its server is not blamed`() async throws {
            try await ControllerProcess.with { controller in
                let exit = try await controller.open("us")
                let old = try #require(try await controller.containers().first)
                try await controller.lab.engine.killContainer(old)
                let new = try await eventually("another container serves", within: 15) {
                    try await controller.exits().first { $0.state == "serving" && $0.generation > exit.generation }
                }
                // Which server is the nearest now is another question.
                #expect(try await !controller.call("GET", "/api/events?limit=1000").text.contains("breaker.opened"))
                #expect(try await controller.call("GET", "/api/breakers").text.contains("server:") == false)
                try await eventually("the dead one is removed") { try await !controller.containers().contains(old) }
                #expect(try await controller.proxied("us").text == "\(new.server?.address ?? "")\n")
            }
        }

        @Test(.timeLimit(.minutes(1)), arguments: ["black-holed", "killed"])
        func `a server that falls silent is found out and left for another`(how: String) async throws {
            try await ControllerProcess.with { controller in
                let exit = try await controller.open("de")
                let server = try #require(controller.lab.lab.layout.servers.first { $0.address == exit.server?.address })
                if how == "killed" {
                    try await controller.lab.lab.kill(server)
                } else {
                    try await controller.lab.lab.control(server, "blackhole")
                }
                let new = try? await eventually("another server serves", within: 30) {
                    try await controller.exits().first { $0.state == "serving" && $0.server?.address != server.address }
                }
                if how == "killed" {
                    try await controller.lab.lab.revive(server)
                } else {
                    try await controller.lab.lab.control(server, "heal")
                }
                #expect(new != nil)
                #expect(try await controller.proxied("de").status == 200)
            }
        }

        @Test(.timeLimit(.minutes(1))) func `a server that is far away serves all the same, and its exit says how far`() async throws {
            try await ControllerProcess.with { controller in
                let exit = try await controller.open("us")
                let server = try #require(controller.lab.lab.layout.servers.first { $0.address == exit.server?.address })
                let relay = try await controller.lab.lab.delay(server, milliseconds: 150)
                do {
                    let answer = try await controller.proxied("us", deadline: 10)
                    #expect(answer.status == 200 && answer.seconds > 0.3, "\(answer.seconds) s")
                    try await eventually("the probes see it") {
                        try await controller.document("/api/exits/us-1/health")["latency_ms"].map { $0 > 300 } ?? false
                    }
                    #expect(try await controller.exits().first?.generation == exit.generation)
                } catch {
                    try await controller.lab.lab.endDelay(server, relay)
                    throw error
                }
                try await controller.lab.lab.endDelay(server, relay)
            }
        }

        @Test(.timeLimit(.minutes(1))) func `with Docker away the API answers and exits go on; it recovers by itself`() async throws {
            let relay = try EngineRelay()
            try await relay.start()
            try await ControllerProcess.with({ try ControllerProcess($0, dockerHost: relay.address) }) { controller in
                _ = try await controller.open("us")
                relay.stop()
                try await eventually("it says so") {
                    try await controller.call("GET", "/health/ready").text.contains("nobody listens on \(relay.address.dropFirst(7))")
                }
                #expect(try await controller.exits().first?.state == "serving")
                #expect(try await controller.proxied("us").status == 200)
                _ = try await controller.call("POST", "/api/exits", #"{"country":"de"}"#)
                try await relay.start()
                try await eventually("it is ready again") { try await controller.call("GET", "/health/ready").status == 200 }
                try await eventually("what was asked for meanwhile serves", within: 20) {
                    try await controller.exits().filter { $0.state == "serving" }.count == 2
                }
                #expect(try await controller.containers().count == 2)
            }
            relay.stop()
        }

        @Test(.timeLimit(.minutes(2))) func `while Docker hangs a dead exit is left for the standby; afterwards its container goes`()
            async throws
        {
            let relay = try EngineRelay()
            try await relay.start()
            try await ControllerProcess.with({ try ControllerProcess($0, dockerHost: relay.address) }) { controller in
                _ = try await controller.call("PUT", "/api/pools/us", #"{"size":1,"standby":1}"#)
                let exits = try await eventually("one serves and one stands by", within: 30) {
                    let exits = try await controller.exits()
                    return exits.count == 2 && Set(exits.map(\.state)) == ["serving", "standby"] ? exits : nil
                }
                let serving = try #require(exits.first { $0.state == "serving" })
                let server = try #require(controller.lab.lab.layout.servers.first { $0.address == serving.server?.address })
                relay.freeze()
                try await controller.lab.lab.control(server, "blackhole")
                let answer = try? await eventually("the standby serves", within: 30) { () -> HTTPResponse? in
                    let answer = try? await controller.proxied("us", deadline: 1)
                    return answer?.status == 200 ? answer : nil
                }
                relay.thaw()
                // Two servers of the lab's country answer, so a new standby can take long; the dead exit's container may not.
                let dead = "\(controller.owner)-\(serving.id)-g\(serving.generation)"
                let isGone = try? await eventually("the dead one's container goes", within: 20) { () -> Bool? in
                    try await controller.containers().contains(dead) ? nil : true
                }
                try await controller.heal(server)
                #expect(answer != nil && answer?.text != "\(server.address)\n" && isGone == true)
                try await eventually("one serves, and there is no container more", within: 40) {
                    let (exits, names) = (try await controller.exits(), try await controller.containers())
                    return exits.count == 2 && exits.contains { $0.state == "serving" } && names.count <= 2
                }
            }
            relay.stop()
        }

        @Test(.timeLimit(.minutes(1)))
        func `while the controller can open nothing more nobody is moved, and afterwards the same exit serves`()
            async throws
        {
            try await ControllerProcess.with { controller in
                let before = try await controller.open("us")
                let pid = try #require(controller.pid)
                // Its soft limit only: to raise the hard one takes a right that not every machine gives.
                #expect(try await Programs.run("prlimit", ["--pid", "\(pid)", "--nofile=3:"]).status == 0)
                try await eventually("it says so", within: 20) { controller.log.contains("exits can't be probed") }
                // Proxy users don't need the controller; three failed probes in a row would have been death.
                for _ in 0..<20 {
                    let answer = try await controller.proxied("us")
                    #expect(answer.status == 200, "\(answer.headers) \(controller.log.suffix(4000))")
                    try await Task.sleep(for: .milliseconds(100))
                }
                // Dispatch ends a process that can't open its threads' files in /proc while work waits, which happens on a busy machine. What
                // starts it again is then the system's; nobody is moved in that case either.
                if controller.hasEnded {
                    try await controller.start()
                } else {
                    #expect(try await Programs.run("prlimit", ["--pid", "\(pid)", "--nofile=4096:"]).status == 0)
                }
                try await eventually("it is ready again", within: 30) {
                    (try? await controller.call("GET", "/health/ready", deadline: 1))?.status == 200
                }
                let after = try await controller.exits()
                #expect(after.map(\.generation) == [before.generation] && after.first?.state == "serving")
            }
        }

        @Test(.timeLimit(.minutes(2))) func `while this machine has no network nobody is moved, and afterwards the same exits serve`()
            async throws
        {
            try await ControllerProcess.with { controller in
                let before = [try await controller.open("us"), try await controller.open("de")]
                let network = try #require(try await controller.lab.engine.network(controller.owner))
                // Our own way out, and that of the tunnels.
                let rules = [
                    ["OUTPUT", "-d", controller.lab.lab.layout.internet, "-j", "DROP"],
                    ["FORWARD", "-i", "br-\(network.id.prefix(12))", "-p", "udp", "--dport", "51820", "-j", "DROP"],
                ]
                for rule in rules { try await iptables("-I", rule) }
                let told = try? await eventually("it says so", within: 30) { () -> String? in
                    let text = try await controller.call("GET", "/health/ready").text
                    return text.contains("lost its internet connection") ? text : nil
                }
                // Long enough for a second look at all of it.
                let alerted = try? await eventually("a human is told", within: 10) { () -> String? in
                    let text = try await controller.call("GET", "/api/alerts").text
                    return text.contains("part:host") ? text : nil
                }
                let meanwhile = try await controller.exits()
                for rule in rules { try await iptables("-D", rule) }
                #expect(told != nil && alerted != nil, "\(controller.log.suffix(5_000))")
                #expect(meanwhile.map(\.generation) == [1, 1])
                for exit in before {
                    try await eventually("\(exit.id) serves again", within: 30) {
                        (try? await controller.proxied(String(exit.id.prefix(2)), deadline: 1))?.status == 200
                    }
                }
                try await eventually("all is well", within: 30) { try await controller.call("GET", "/health/ready").status == 200 }
                let after = try await controller.exits()
                #expect(after.map(\.generation) == [1, 1] && after.map(\.server?.address) == meanwhile.map(\.server?.address))
            }
        }

        private func iptables(_ action: String, _ rule: [String]) async throws {
            let result = try await Programs.run("iptables", ["-w", action] + rule)
            guard result.status == 0 else { throw TimeoutError(what: "iptables \(action) \(rule): \(result.output)") }
        }

        @Test(.timeLimit(.minutes(1))) func `with Redis killed the proxies go on, and it is started again with everything in it`()
            async throws
        {
            try await ControllerProcess.with { controller in
                _ = try await controller.open("us")
                let load = Load(controller, country: "us", workers: 2)
                let pid = try #require(controller.redisPid)
                kill(pid, SIGKILL)
                try await eventually("another Redis runs") { controller.redisPid.map { $0 != pid } ?? false }
                try await eventually("the store answers") { try await controller.call("GET", "/health/ready").status == 200 }
                let count = await load.stop(after: 11)
                #expect(count.failures == [])
                #expect(count.succeeded > 10)
                try await controller.crash()
                try await controller.start()
                #expect(try await controller.exits().count == 1)
                #expect(try await controller.proxied("us").status == 200)
            }
        }

        @Test(.timeLimit(.minutes(1))) func `a killed HAProxy is back with the same slots and users`() async throws {
            try await ControllerProcess.with { controller in
                _ = try await controller.open("us")
                let pid = try #require(controller.haproxyPid)
                kill(pid, SIGKILL)
                try await eventually("the proxies answer again", within: 10) {
                    guard controller.haproxyPid != pid else { return false }
                    return (try? await controller.proxied("us", deadline: 1))?.status == 200
                }
            }
        }

        @Test(.timeLimit(.minutes(1))) func `a rotation under load fails no request and leaves from another server`() async throws {
            try await ControllerProcess.with { controller in
                let old = try await controller.open("us")
                let load = Load(controller, country: "us")
                #expect(try await controller.call("POST", "/api/exits/\(old.id)/rotate").status == 202)
                try await eventually("only the new one is left", within: 20) {
                    let exits = try await controller.exits()
                    return exits.count == 1 && exits[0].id != old.id && exits[0].state == "serving"
                }
                let count = await load.stop(after: 11)
                #expect(count.failures == [])
                #expect(count.succeeded > 10, "there was load all the time")
                #expect(try await controller.exits().first?.server?.address != old.server?.address)
            }
        }
    }
}
