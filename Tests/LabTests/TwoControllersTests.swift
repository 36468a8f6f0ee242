import DockerEngine
import Glibc
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// Two controllers with one store, one gateway and one engine: one leads, the other takes over.
    @Suite(.serialized) struct TwoControllersTests {
        private struct Role {
            var role: String
            var leader: String?

            init(of controller: ControllerProcess) async throws {
                let text = try await controller.call("GET", "/health/ready", deadline: 2).text
                role = text.contains(#""role":"leader""#) && text.contains(#""status":"ready""#) ? "leader" : "other"
                leader = text.contains(#""leader":""#) ? text : nil
            }
        }

        private func leads(_ controller: ControllerProcess) async throws -> Bool { try await Role(of: controller).role == "leader" }
        private func follows(_ controller: ControllerProcess) async throws -> Bool { try await Role(of: controller).leader != nil }

        private func withTwo(
            settings: String = "", holdSeconds: Int = 3,
            _ body: (_ first: ControllerProcess, _ second: ControllerProcess, SharedRedis) async throws -> Void
        ) async throws {
            let redis = try await SharedRedis()
            let lab = try await TestLab.shared.value
            let first = try ControllerProcess(lab, dockerExtra: settings, redis: redis.socket, holdSeconds: holdSeconds)
            let second = try ControllerProcess(
                lab, dockerExtra: settings, redis: redis.socket, partner: first, holdSeconds: holdSeconds)
            var failure: (any Error)?
            do {
                try await first.start()
                try await eventually("the first leads") { try await leads(first) }
                try await second.start()
                try await eventually("the second follows") { try await follows(second) }
                // Asked of the one that follows: the other one does it.
                let user = try await second.call("POST", "/api/users", #"{"name":"alice","password":"\#(ControllerProcess.password)"}"#)
                guard user.status == 201 else { throw TimeoutError(what: "a user: \(user.text)") }
                try await body(first, second, redis)
            } catch {
                failure = TimeoutError(what: "\(error)\nFIRST:\n\(first.log.suffix(4_000))\nSECOND:\n\(second.log.suffix(4_000))")
            }
            redis.thaw()
            first.thaw()
            second.thaw()
            try? await first.stop()
            try? await second.stop()
            try await first.clear()
            try await second.clear()
            try await redis.stop()
            if let failure { throw failure }
        }

        private func names(_ controller: ControllerProcess) async throws -> [String] {
            try await controller.lab.engine.listContainers(labels: ["io.sallyport.owner=\(controller.owner)"]).map { "\($0.name) \($0.id)" }
                .sorted()
        }

        private func fences(_ controller: ControllerProcess) async throws -> Set<String> {
            Set(
                try await controller.lab.engine.listContainers(labels: ["io.sallyport.owner=\(controller.owner)"])
                    .compactMap { $0.labels?["io.sallyport.fence"] })
        }

        @Test(.timeLimit(.minutes(2))) func `when the leader is killed the other takes over, and no request fails`() async throws {
            try await withTwo { first, second, _ in
                let exit = try await second.open("us")
                #expect(try await first.exits().map(\.id) == ["us-1"])
                #expect(try await fences(first) == ["1"])
                let load = Load(second, country: "us")
                try await first.crash()
                let start = ContinuousClock.now
                try await eventually("the second leads", within: 20) { try await leads(second) }
                #expect(.now - start < .seconds(10))
                #expect(try await second.exits().first?.generation == exit.generation, "the same container serves on")
                let count = await load.stop(after: 51)
                #expect(count.failures == [] && count.succeeded > 50)
                // It really leads: it heals, under its own number.
                try await second.lab.engine.killContainer(try #require(try await second.containers().first))
                try await eventually("another container serves", within: 15) {
                    try await second.exits().contains { $0.state == "serving" && $0.generation > exit.generation }
                }
                #expect(try await fences(second) == ["2"])
                try await first.start()
                try await eventually("the first follows") { try await follows(first) }
                #expect(try await first.call("DELETE", "/api/pools/us").status == 204)
                try await eventually("what it was asked for is done") { try await second.containers().isEmpty }
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `requests that open countries while the leader is killed are served by the next one, or refused with a word`() async throws {
            func ask(_ country: String, _ controller: ControllerProcess) async throws -> String {
                let answer = try await controller.proxied(country, deadline: 30)
                return answer.status == 200 ? "served" : "\(answer.status) \(answer.headers["x-sallyport-reason"] ?? answer.text)"
            }
            let settings = "on_demand: {countries: all, openings_per_minute: 100}"
            try await withTwo(settings: settings, holdSeconds: 20) { first, second, _ in
                try await eventually("the countries are known", within: 20) { try await ask("va", second) == "503 no_server" }
                #expect(try await ask("us", second) == "served")
                // One that the first begins to open, and one that nobody is there for.
                async let begun = ask("de", second)
                try await eventually("it is opened") { try await first.call("GET", "/api/events").text.contains("pool.opened") }
                try await eventually("it is stored") { try await second.call("GET", "/api/pools/de").status == 200 }
                try await first.crash()
                let start = ContinuousClock.now
                async let late = ask("gb", second)
                let answers = try await [begun, late]
                print("opened while the leader was killed: \(answers) after \(ContinuousClock.now - start)")
                #expect(answers == ["served", "served"])
                #expect(try await leads(second))
                try await eventually("nothing is left over") {
                    let (exits, containers) = (try await second.exits(), try await second.containers())
                    return Set(exits.map { $0.id.prefix(2) }) == ["us", "de", "gb"] && exits.count == 3 && containers.count == 3
                }
            }
        }

        @Test(.timeLimit(.minutes(2))) func `a leader that hangs is replaced, and touches nothing when it wakes up`() async throws {
            try await withTwo { first, second, _ in
                let exit = try await first.open("us")
                // It stops with work at hand: a container has just died.
                try await first.lab.engine.killContainer(try #require(try await first.containers().first))
                first.freeze()
                let start = ContinuousClock.now
                try await eventually("the second leads", within: 20) { try await leads(second) }
                #expect(.now - start < .seconds(10))
                try await eventually("and heals", within: 20) {
                    let exits = try await second.exits()
                    return exits.count == 1 && exits[0].state == "serving" && exits[0].generation > exit.generation
                }
                try await eventually("the dead one is removed") { try await second.containers().count == 1 }
                let before = try await names(second)
                let slots = try Files.read("\(second.gatewayFolder)/haproxy.cfg")
                let load = Load(second, country: "us")
                first.thaw()
                try await eventually("the first sees that it is late") { try await follows(first) }
                try await eventually("it shows what the second did") {
                    try await first.exits().map(\.generation) == second.exits().map(\.generation)
                }
                let count = await load.stop(after: 1)
                #expect(count.failures == [] && count.succeeded > 0)
                #expect(try await names(second) == before)
                #expect(try Files.read("\(second.gatewayFolder)/haproxy.cfg") == slots)
                #expect(try await leads(second))
            }
        }

        @Test(.timeLimit(.minutes(2))) func `while the store hangs the proxies go on, and one leads again when it is back`() async throws {
            try await withTwo { first, second, redis in
                _ = try await first.open("us")
                let load = Load(first, country: "us")
                redis.freeze()
                try await eventually("the first says that it has no lease") {
                    try await first.call("GET", "/health/ready").text.contains(#""store""#)
                }
                // It can't know whether this comes through in the end, and says so.
                #expect(try await second.call("PUT", "/api/pools/us", #"{"size":1}"#, deadline: 60).status == 503)
                redis.thaw()
                try await eventually("one leads again", within: 20) {
                    let (one, two) = (try await leads(first), try await leads(second))
                    return one != two
                }
                let count = await load.stop(after: 51)
                #expect(count.failures == [] && count.succeeded > 50)
                try await eventually("both show the same") {
                    let (one, two) = (try await first.exits(), try await second.exits())
                    return one.map(\.id) == ["us-1"] && one[0].generation == two.map(\.generation).first && one[0].state == two[0].state
                }
            }
        }
    }
}
