@testable import API
@testable import EventStreams
import HTTPTransport
import Model
import TestSupport
import Testing

/// `/api/stream/dashboard`: topics, as far as a role may read them.
@Suite(.timeLimit(.minutes(2))) struct DashboardStreamTests {
    @Test func `the dashboard's stream has a snapshot of each topic, then only what has changed, as the role allows`() async throws {
        try await StreamReader.withServer { _, operations, url, client in
            let all = StreamReader(client, "\(url)/api/stream/dashboard")
            let viewer = StreamReader(client, "\(url)/api/stream/dashboard", key: Subject.keys[.viewer] ?? "")
            func topics(_ reader: StreamReader) -> Set<String> { Set(reader.events.compactMap { $0["event"].map(String.init) }) }
            try await eventually("each topic", within: 60) { topics(all).isSuperset(of: Topic.allCases.map(\.rawValue)) }
            #expect(all.text.hasPrefix("retry: 2000\n\nevent: beat\ndata: {\"seconds\":5}\n\n"))
            #expect(all.text.contains("event: pools\ndata: {\"all\":{\"US\":{") && all.text.contains("\"all\":{\"alice\":{"))
            try await operations.execute(.addExit(ExitRequest(country: us)))
            try await eventually("the new exit alone", within: 60) { all.text.contains("event: exits\ndata: {\"set\":{\"us-2\":{") }
            try await operations.execute(.removeExit(try #require(ExitID("us-2"))))
            try await eventually("its end", within: 60) { all.text.contains("\"removed\":[\"us-2\"]}") }
            try await eventually("what a viewer may read", within: 60) { viewer.text.contains("\"removed\":[\"us-2\"]}") }
            #expect(topics(viewer).isDisjoint(with: ["users", "logs"]) && !viewer.text.contains("alice"))
            let headers = [(name: "X-API-Key", value: Subject.keys[.viewer] ?? "")]
            let refused = try await client.send(HTTPRequest("GET", "\(url)/api/stream/dashboard?topics=exits,users", headers: headers))
            #expect(refused.status == 403 && refused.text.contains("topic users needs role admin"))
        }
    }

    @Test func `the traffic of exits is for all, that of users for admins, and it is read only while somebody follows it`() async throws {
        try await StreamReader.withServer { _, operations, url, client in
            let other = StreamReader(client, "\(url)/api/stream/dashboard?topics=exits,pools")
            try await eventually("its topics", within: 60) { other.ids.count >= 2 }
            #expect(operations.with { $0.trafficReads } == 0)
            let address = "\(url)/api/stream/dashboard?topics=traffic"
            let admin = StreamReader(client, address)
            let viewer = StreamReader(client, address, key: Subject.keys[.viewer] ?? "")
            let exit = #""exit:us-1":{"bytes_per_second":1000,"bytes_today":30,"connections":3}"#
            let alice = #""user:alice":{"bytes_per_second":0,"bytes_today":30,"connections":0}"#
            try await eventually("exits for both", within: 60) { admin.text.contains(exit) && viewer.text.contains(exit) }
            try await eventually("users for the admin", within: 60) { admin.text.contains(alice) }
            #expect(!viewer.text.contains("user:"))
            admin.leave()
            viewer.leave()
            try await eventually("nobody reads any more", within: 60) {
                let before = operations.with { $0.trafficReads }
                try await Task.sleep(for: .seconds(3))
                return operations.with { $0.trafficReads } == before
            }
        }
    }
}
