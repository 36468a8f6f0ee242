import DockerEngine
import HTTPTransport
import Model
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// Address services that refuse, and targets that block a server.
    @Suite(.serialized) struct VerificationTests {
        /// Puts more of the internet where the lab's web server reads it; empty takes it away.
        private func publish(_ sites: String, _ lab: TestLab) async throws {
            let command = "printf '%s\\n' \"$1\" >/config/sites.conf && nginx -c /etc/nginx.conf -s reload && echo done"
            let result = try await lab.engine.execute(
                ["busybox", "sh", "-c", command, "sh", sites], in: lab.lab.layout.container("internet"))
            guard result.status == 0, result.output.contains("done") else {
                throw TimeoutError(what: "the lab's web server: \(result.output)")
            }
        }

        private static func verification(_ lab: TestLab, path: String, _ more: String = "") -> String {
            """
            health: {deep_seconds: 1}
            verification:
              own_urls: ['http://\(lab.lab.layout.internet)\(path)']
              urls: []
              check_name: check.lab.test
            \(more)

            """
        }

        @Test(.timeLimit(.minutes(2)))
        func `an address service that answers 429 moves nobody, and it is told since when nothing is compared`()
            async throws
        {
            let lab = try await TestLab.shared.value
            let who = #"location = /who { default_type application/json; return 200 '{"ip":"$remote_addr","country":"$country"}'; }"#
            let refused = "location = /who { add_header Retry-After 300 always; return 429; }"
            try await publish(who, lab)
            try await ControllerProcess.with({ try ControllerProcess($0, verification: Self.verification($0, path: "/who")) }) {
                controller in
                let before = try await controller.open("us")
                func health() async throws -> [String: Double] { try await controller.document("/api/exits/us-1/health") }
                try await eventually("it is compared again and again", within: 20) {
                    try await health()["compared_age_seconds"].map { $0 < 1 } ?? false
                }
                try await publish(refused, lab)
                let alert = try await eventually("it is told", within: 30) { () -> String? in
                    let text = try await controller.call("GET", "/api/alerts").text
                    return text.contains("comparison:address") ? text : nil
                }
                #expect(alert.contains("us-1"))
                try await eventually("its age grows", within: 20) { try await health()["compared_age_seconds"].map { $0 > 8 } ?? false }
                let metrics = try await controller.call("GET", "/metrics").text
                #expect(
                    metrics.contains("sallyport_address_service_resting{service=\"\(lab.lab.layout.internet)/who\"} 1"),
                    "a gauge says that it rests")
                let log = controller.log
                #expect(log.split(separator: "\n").count { $0.contains("an address service refuses") } == 1, "once")
                let now = try await controller.exits()
                #expect(now.map(\.generation) == [before.generation] && now.first?.state == "serving")
                #expect(try await controller.proxied("us").status == 200)
            }
            try await publish("", lab)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a canary that one server's address is blocked at moves the exit, and one that is blocked everywhere nobody`()
            async throws
        {
            let lab = try await TestLab.shared.value
            func shop(_ rule: String) -> String { "location = /shop { default_type text/plain; \(rule) return 200 \"Add to basket\"; }" }
            try await publish(shop(""), lab)
            let canary =
                "  canary_seconds: 10\n  canary_action: replace\n  canaries: {shop: {url: 'http://www.lab.test/shop', text: basket}}"
            try await ControllerProcess.with({ try ControllerProcess($0, verification: Self.verification($0, path: "/json", canary)) }) {
                controller in
                _ = try await controller.call("PUT", "/api/pools/us", #"{"size":2}"#)
                let exits = try await eventually("two serve", within: 30) {
                    let exits = try await controller.exits()
                    return exits.count == 2 && exits.allSatisfy { $0.state == "serving" } ? exits : nil
                }
                let blocked = try #require(exits.first?.server?.address)
                try await publish(shop("if ($remote_addr = \(blocked)) { return 403; }"), lab)
                let moved = try await eventually("another server serves in its place", within: 90) {
                    let exits = try await controller.exits().filter { $0.state == "serving" }
                    return exits.count == 2 && !exits.contains { $0.server?.address == blocked } ? exits : nil
                }
                #expect(try await controller.call("GET", "/api/events?limit=1000").text.contains("target_blocked"))
                try await publish(shop("return 403;"), lab)
                try await eventually("it is told that the canary is at fault", within: 60) {
                    try await controller.call("GET", "/api/alerts").text.contains("every exit")
                }
                let servers = try await controller.exits().filter { $0.state == "serving" }.compactMap(\.server?.address)
                #expect(Set(servers) == Set(moved.compactMap(\.server?.address)))
            }
            try await publish("", lab)
        }
    }
}
