import FoundationEssentials
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// Countries that a request opens, on real exits.
    @Suite(.serialized) struct OnDemandTests {
        private func with(devices: Int? = nil, idleMinutes: String = "10", _ body: (ControllerProcess) async throws -> Void) async throws {
            let settings = "on_demand: {countries: all, openings_per_minute: 100, idle_minutes: \(idleMinutes)}"
            // This is not built for speed, and the list has 60 countries and servers that don't exist.
            try await ControllerProcess.with({ try ControllerProcess($0, dockerExtra: settings, devices: devices, holdSeconds: 10) }) {
                controller in
                // Before the list has come nobody knows which countries there are.
                try await eventually("the countries are known", within: 20) { try await ask(controller, "va").0 == "503 no_server" }
                try await body(controller)
            }
        }

        private func running(_ controller: ControllerProcess) async throws -> Set<String> {
            Set(try await controller.exits().filter { $0.state == "serving" }.map { String($0.id.prefix(2)) })
        }

        /// The address that the internet sees, or status and reason of a refusal; and how long that took.
        private func ask(_ controller: ControllerProcess, _ country: String, by way: String = "plain") async throws -> (String, Double) {
            let url = "http://ip.lab.test/ip"
            let start = ContinuousClock.now
            var request = HTTPRequest("GET", url)
            request.proxy = "\(way == "socks5" ? "socks5h" : "http")://\(controller.gateway)"
            request.proxyUser = "alice-country-\(country)"
            request.proxyPassword = Secret(ControllerProcess.password)
            (request.connectDeadline, request.deadline, request.tunnels) = (12, 12, way == "connect")
            let answer = try await controller.lab.client.send(request)
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            let text = answer.text.filter { !$0.isWhitespace }
            return (answer.status == 200 ? text : "\(answer.status) \(answer.headers["x-sallyport-reason"] ?? text)", seconds)
        }

        private func answer(to text: String, on connection: Raw) async throws -> String {
            try await Blocking.run {
                connection.send(text)
                return String(decoding: connection.receive(milliseconds: 8_000) ?? [], as: UTF8.self)
            }
        }

        private func addresses(_ controller: ControllerProcess, _ country: String) -> Set<String> {
            Set(controller.lab.lab.layout.servers.filter { $0.country.lowercased == country }.map(\.address))
        }

        @Test(.timeLimit(.minutes(3)))
        func `a request opens its country by each protocol, is served in time, and what nobody uses goes`() async throws {
            try await with(idleMinutes: "0.1") { controller in
                for (country, way) in [("us", "connect"), ("de", "plain"), ("gb", "socks5")] {
                    let (address, seconds) = try await ask(controller, country, by: way)
                    #expect(addresses(controller, country).contains(address), "\(country) by \(way): \(address)")
                    let events = try await controller.call("GET", "/api/events?country=\(country)&limit=20").text
                    #expect(seconds < 6, "\(country) by \(way): \(events)")
                }
                #expect(try await ask(controller, "va").0 == "503 no_server")
                try await eventually("all are closed", within: 40) {
                    let (containers, exits) = (try await controller.containers(), try await controller.exits())
                    return containers.isEmpty && exits.isEmpty
                }
                // And again.
                #expect(addresses(controller, "us").contains(try await ask(controller, "us").0))
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `with two tunnels a third country takes the place of the one idle for longest, and no connection is lost`() async throws {
            try await with(devices: 2) { controller in
                for country in ["us", "de"] { _ = try await ask(controller, country) }
                // The older one has a connection that says nothing.
                let held = try Raw(port: controller.gateway.port)
                let basic = Base64.encode(Array("alice-country-us:\(ControllerProcess.password)".utf8))
                let head = "CONNECT ip.lab.test:80 HTTP/1.1\r\nHost: ip.lab.test:80\r\nProxy-Authorization: Basic \(basic)\r\n\r\n"
                #expect(try await answer(to: head, on: held).hasPrefix("HTTP/1.1 200"))
                try await eventually("the other one gives way", within: 20) {
                    let answer = try await ask(controller, "gb").0
                    return addresses(controller, "gb").contains(answer)
                }
                try await eventually("the two serve") { try await running(controller) == ["us", "gb"] }
                #expect(try await controller.containers().count <= 2)
                #expect(try await answer(to: "GET /ip HTTP/1.1\r\nHost: ip.lab.test\r\n\r\n", on: held).hasPrefix("HTTP/1.1 200"))
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `a storm of requests for all countries at once opens no more than the account allows`() async throws {
            try await with(devices: 2) { controller in
                let codes = CountryCode.all.map(\.lowercased).prefix(200)
                let answers = await withTaskGroup(of: String.self) { group in
                    for code in codes {
                        group.addTask {
                            do { return try await ask(controller, code).0 } catch { return "no answer: \(error)" }
                        }
                    }
                    return await group.reduce(into: [:]) { $0[$1.first == "1" ? "served" : $1, default: 0] += 1 }
                }
                #expect(Set(answers.keys).isSubset(of: ["served", "503 no_server", "503 no_tunnel", "503 no_exit"]), "\(answers)")
                let containers = try await controller.containers()
                #expect(containers.count <= 2)
            }
        }
    }
}
