import FoundationEssentials
import Glibc
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

/// The end of a real program, and what the next one knows of the requests before it.
@Suite(.serialized, .timeLimit(.minutes(3)), .enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"))
struct RealStopTests {
    /// NordVPN's list with one server, which no engine will ever have an exit on.
    private static let list =
        #"{"servers":[{"id":1,"hostname":"us1.test","station":"127.0.0.1","status":"online","load":7,"technologies":[{"id":35,"#
        + #""metadata":[{"name":"public_key","value":"9TYCXhc1dpXaJ8OgwsqNEVTuEUZmUfDhCSDrxuUBGUY="}],"status":"online"}],"group_ids":[11],"#
        + #""location_ids":[5]}],"groups":[],"services":[],"locations":[{"id":5,"country":{"code":"US","city":{"name":"Dallas"}}}],"#
        + #""technologies":[{"id":35,"identifier":"wireguard_udp","metadata":null}]}"#

    @Test func `one who waits for an exit has an answer when the controller stops, and the stop does not wait for it`() async throws {
        let provider = try ScriptedServer { connection in
            _ = connection.head()
            connection.answer(200, Self.list)
        }
        let program = try RunningProgram(provider: "http://127.0.0.1:\(provider.port)")
        try await RunningProgram.with([program]) {
            let waiting = Task { try await program.call("POST", "/api/exits?wait=120", #"{"country":"us"}"#, deadline: 150) }
            try await eventually("the exit is wanted", within: 60) {
                try await program.call("GET", "/api/exits").text.contains(#""id":"us-1""#)
            }
            program.signal(SIGTERM)
            let answer = try await waiting.value
            #expect(answer.status == 202 && answer.text.contains(#""state":"pending""#), "\(answer.status) \(answer.text)")
        }
    }

    @Test func `keys and repeated requests outlive kill -9, and a request that has made a secret is not done again`() async throws {
        let program = try RunningProgram()
        try await RunningProgram.with([program]) {
            let made = try await program.call("POST", "/api/auth/keys", #"{"name":"dashboard","role":"viewer"}"#)
            let key = try #require(try JSONDecoder().decode(Document.self, from: Data(made.body)).field("key")?.string)
            func post() async throws -> (status: Int, hook: Document, isReplayed: Bool) {
                let answer = try await program.call(
                    "POST", "/api/webhooks", #"{"url":"https://hooks.invalid/"}"#, headers: [("Idempotency-Key", "one")])
                return (
                    answer.status, try JSONDecoder().decode(Document.self, from: Data(answer.body)),
                    answer.headers["idempotent-replayed"] == "true"
                )
            }
            let first = try await post()
            let again = try await post()
            #expect(first.status == 201 && !first.isReplayed && again.isReplayed && again.hook == first.hook)
            #expect(first.hook.field("secret") != nil)
            try await program.crash()
            try await program.start()
            let later = try await post()
            #expect(later.status == 201 && later.isReplayed && later.hook.field("secret") == nil)
            #expect(later.hook.field("id") == first.hook.field("id"))
            #expect(try await program.call("GET", "/api/webhooks").text.split(separator: #""url":"#).count - 1 == 1)
            try await eventually("the key counts again", within: 30) {
                let client = HTTPClient()
                defer { client.close() }
                let request = HTTPRequest("GET", "http://127.0.0.1:\(program.port)/api/exits", headers: [("X-API-Key", key)])
                return try await client.send(request).status == 200
            }
        }
    }
}
