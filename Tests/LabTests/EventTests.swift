import DockerEngine
import FoundationEssentials
import Glibc
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

extension OnTheLab {
    /// Events and metrics of the real program on real parts.
    @Suite struct EventTests {
        private struct Line: Decodable {
            let kind: String
            let message: String
            let by: String?
            let cause: String?
        }

        private func events(_ controller: ControllerProcess) async throws -> [Line] {
            struct Answer: Decodable { let events: [Line] }
            let answer = try await controller.call("GET", "/api/events?after=0-0&limit=1000")
            return try JSONDecoder().decode(Answer.self, from: Data(answer.body)).events
        }

        /// The sum of a metric's samples whose line holds all of these words.
        private func metric(_ controller: ControllerProcess, _ name: String, _ words: String...) async throws -> Double {
            let lines = try await controller.call("GET", "/metrics").text.split(separator: "\n")
            return lines.filter { line in
                (line.hasPrefix("\(name){") || line.hasPrefix("\(name) ")) && words.allSatisfy { line.contains($0) }
            }
            .reduce(0) { $0 + (Double($1.split(separator: " ").last ?? "") ?? 0) }
        }

        private static let wanted: Set = [
            "pool.changed", "pool.removed", "pool.failover", "pool.rotation", "user.added", "user.changed", "user.removed",
            "leader.changed",
            "configuration.reloaded",
        ]

        @Test(.timeLimit(.minutes(3)))
        func `what operators and fate do is told in events, the stream, webhooks and the log, and counted`() async throws {
            let receiver = try WebhookReceiver()
            defer { receiver.stop() }
            let settings = "webhooks: {allow_private: true, allow_http: true}"
            try await ControllerProcess.with({ try ControllerProcess($0, dockerExtra: settings) }) { controller in
                #expect(try await controller.call("POST", "/api/webhooks", #"{"url":"\#(receiver.url)"}"#).status == 201)
                #expect(try await controller.call("PUT", "/api/pools/us", #"{"size":1}"#).status == 201)
                #expect(try await controller.call("PUT", "/api/pools/de", #"{"size":1}"#).status == 201)
                try await eventually("both exits serve", within: 60) {
                    try await controller.exits().count { $0.state == "serving" } == 2
                }
                #expect(try await controller.proxied("us").status == 200)
                try await act(on: controller)
                try await eventually("all kinds have come: \(try await events(controller).map(\.kind))", within: 30) {
                    Set(try await events(controller).map(\.kind)).isSuperset(of: Self.wanted)
                }
                let all = try await events(controller)
                for kind in ["pool.changed", "pool.removed", "user.added", "user.changed", "user.removed"] {
                    #expect(all.filter { $0.kind == kind }.allSatisfy { $0.by == "admin" }, "\(kind)")
                }
                let reloads = all.filter { $0.kind == "configuration.reloaded" }
                #expect(reloads.map(\.by) == ["admin", nil] && reloads.map(\.cause) == ["operator", "signal"])
                try await compare(all, controller, receiver)
                try await figures(controller)
            }
        }

        private func act(on controller: ControllerProcess) async throws {
            #expect(
                try await controller.call("POST", "/api/users", #"{"name":"bob","password":"\#(ControllerProcess.password)"}"#).status
                    == 201)
            #expect(try await controller.call("PATCH", "/api/users/bob", #"{"disabled":true}"#).status == 200)
            #expect(try await controller.call("DELETE", "/api/users/bob").status == 204)
            #expect(try await controller.call("POST", "/admin/reload").status == 200)
            if let pid = controller.pid { kill(pid, SIGHUP) }
            // One pool's exit is moved and the other's is killed: each has two good servers.
            #expect(try await controller.call("POST", "/api/exits/us-1/rotate").status == 202)
            let container = try await controller.containers().first { $0.contains("-de-1-") }
            try await controller.lab.engine.killContainer(try #require(container))
            try await eventually("another exit has taken over, and another container", within: 60) {
                let exits = try await controller.exits().filter { $0.state == "serving" }
                return exits.contains { $0.id == "us-2" } && exits.contains { $0.id == "de-1" && $0.generation == 2 }
            }
            try await eventually("the handshake's age is read", within: 40) {
                try await metric(controller, "sallyport_exit_handshake_age_seconds", "us-") > 0
            }
            try await eventually("and shown with a serving exit's health", within: 40) {
                try await controller.call("GET", "/api/exits/us-2").text.contains(#""handshake_age_s":"#)
            }
            #expect(try await controller.call("DELETE", "/api/pools/us").status == 204)
            #expect(try await controller.call("DELETE", "/api/pools/de").status == 204)
            try await eventually("the exits are gone", within: 60) { try await controller.exits().isEmpty }
        }

        /// Stream, webhook and log have what the list has.
        private func compare(_ all: [Line], _ controller: ControllerProcess, _ receiver: WebhookReceiver) async throws {
            for line in all where Self.wanted.contains(line.kind) {
                #expect(controller.log.contains(line.message), "the log has no: \(line.message)")
            }
            // What came before the webhook was made is not for it.
            try await eventually("the webhook has all", within: 60) {
                let told = receiver.requests.map(\.head)
                return Self.wanted.subtracting(["leader.changed"]).allSatisfy { kind in
                    told.contains { $0.contains("X-Sallyport-Event: \(kind)\r\n") }
                }
            }
            let added = receiver.requests.first { $0.head.contains("X-Sallyport-Event: user.added") }
            #expect(added?.body.contains(#""by":"admin""#) == true)
            func isThere(_ kind: String, _ text: String) -> Bool { text.contains("event: \(kind)\n") }
            let streamed = try await controller.stream("/api/stream/events", after: "0-0", seconds: 30) { text in
                Self.wanted.allSatisfy { isThere($0, text) }
            }
            for kind in Self.wanted { #expect(isThere(kind, streamed), "the stream has no \(kind)") }
        }

        private func figures(_ controller: ControllerProcess) async throws {
            // The engine tells of the killed container, or a probe finds it silent before that.
            #expect(try await metric(controller, "sallyport_failovers_total") == 1)
            #expect(try await metric(controller, "sallyport_failover_duration_seconds_count") == 1)
            #expect(try await metric(controller, "sallyport_rotations_total", #"cause="operator""#) == 1)
            #expect(try await metric(controller, "sallyport_probes_total", #"kind="fast""#, #"result="ok""#) > 0)
            #expect(try await metric(controller, "sallyport_catalog_servers", "nordvpn") > 100)
            #expect(try await metric(controller, "sallyport_webhook_deliveries_total", "delivered") > 5)
            #expect(try await metric(controller, "sallyport_proxy_connections_total", #"user="alice""#, #"country="US""#) >= 1)
            #expect(try await metric(controller, "sallyport_proxy_bytes_total", #"user="alice""#, #"direction="out""#) > 0)
            try await eventually("the figures over time have the failover", within: 30) {
                let text = try await controller.call("GET", "/api/metrics?series=failovers").text
                return text.contains("[1") || text.contains(",1")
            }
            let health = try await controller.call("GET", "/health/deep").text
            #expect(health.contains(#""status":"ok""#) && health.contains(#""asked_at""#))
        }
    }
}
