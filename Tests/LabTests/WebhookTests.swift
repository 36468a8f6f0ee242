import FoundationEssentials
import HTTPTransport
import Model
import Synchronization
import TestSupport
import Testing

extension OnTheLab {
    /// Webhooks of the real program, killed in between.
    @Suite struct WebhookTests {
        private struct Made: Decodable { let secret: String }
        private struct Events: Decodable {
            struct Line: Decodable { let id: String }
            let events: [Line]
        }

        @Test(.timeLimit(.minutes(3)))
        func `a controller that is killed while it sends loses no event and keeps their order`() async throws {
            let isHanging = Mutex(true)
            let receiver = try WebhookReceiver { number, connection in
                if number == 3, isHanging.withLock({ $0 }) { connection.hang() } else { connection.answer(200) }
            }
            defer { receiver.stop() }
            let settings = "webhooks: {allow_private: true, allow_http: true}"
            try await ControllerProcess.with({ try ControllerProcess($0, dockerExtra: settings) }) { controller in
                let made = try await controller.call("POST", "/api/webhooks", #"{"url":"\#(receiver.url)","countries":["us"]}"#)
                #expect(made.status == 201, "\(made.text)")
                let exit = try await controller.open("us")
                try await eventually("the third event is being sent", within: 30) { receiver.requests.count == 3 }
                try await controller.crash()
                isHanging.withLock { $0 = false }
                try await controller.start()
                #expect(try await controller.call("DELETE", "/api/exits/\(exit.id)").status == 202)
                let ids = try await eventually("all that was recorded has come", within: 60) {
                    let answer = try await controller.call("GET", "/api/events?after=0-0&limit=1000&country=us")
                    let ids = try JSONDecoder().decode(Events.self, from: Data(answer.body)).events.map(\.id)
                    let isGone = try await controller.exits().isEmpty
                    return isGone && receiver.ids.last == ids.last ? ids : nil
                }
                #expect(ids.count >= 5 && receiver.ids == ids, "\(receiver.ids)")
                #expect(receiver.requests.count { $0.id == ids[2] } == 2, "the third is sent again")
                let secret = try JSONDecoder().decode(Made.self, from: Data(made.body)).secret
                #expect(!controller.log.contains(secret))
            }
        }
    }
}
