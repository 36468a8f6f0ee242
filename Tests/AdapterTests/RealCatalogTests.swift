import FoundationEssentials
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

/// Providers that hang, fail and never give a list, seen from outside of a real program.
@Suite(.serialized, .timeLimit(.minutes(3)), .enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"))
struct RealCatalogTests {
    /// Mullvad's list with one server.
    private static let relays =
        #"[{"hostname":"al-1","country_code":"al","city_name":"Tirana","fqdn":"al-1.relays.mullvad.net","active":true,"owned":false,"#
        + #""provider":"x","ipv4_addr_in":"127.0.0.1","type":"wireguard","pubkey":"9TYCXhc1dpXaJ8OgwsqNEVTuEUZmUfDhCSDrxuUBGUY="}]"#

    private static func answering(_ status: Int, _ body: String = "") throws -> ScriptedServer {
        try ScriptedServer { connection in while connection.head() != nil { connection.answer(status, body) } }
    }

    private static func url(_ server: ScriptedServer) -> String { "http://127.0.0.1:\(server.port)" }

    @Test func `a provider that hangs delays nobody, and each provider's own words stand for it`() async throws {
        let hanging = try ScriptedServer { connection in if connection.head() != nil { connection.hang() } }
        let (failing, good) = (try Self.answering(503), try Self.answering(200, Self.relays))
        defer { for server in [hanging, failing, good] { server.stop() } }
        let program = try RunningProgram(
            provider: Self.url(hanging), others: ["ivpn": Self.url(failing), "mullvad": Self.url(good)])
        try await RunningProgram.with([program]) {
            func get(_ path: String, deadline: Double = 15) async throws -> HTTPResponse {
                try await program.call("GET", path, deadline: deadline)
            }
            try await eventually("the two that answer have been asked", within: 60) {
                let answer = try await get("/api/providers")
                #expect(answer.status == 200, "\(answer.text)")
                return answer.text.contains("status 503") && answer.text.contains(#""servers":1"#)
            }
            #expect(try await get("/api/mullvad/servers").status == 200)
            #expect(try await get("/api/all/servers/al").status == 200)
            // A machine that is very busy may have given the one that hangs up by then.
            for (name, words, other) in [("ivpn", "status 503", "nordvpn"), ("nordvpn", "nordvpn", "status 503")] {
                for path in ["/api/\(name)/servers", "/api/\(name)/servers/al", "/api/\(name)/servers/fastest", "/api/\(name)/countries"] {
                    let answer = try await get(path)
                    #expect(answer.status == 503 && answer.text.contains("catalog_unavailable"), "\(path): \(answer.text)")
                    #expect(answer.text.contains(words) && !answer.text.contains(other), "\(path): \(answer.text)")
                }
                let answer = try await program.call("POST", "/api/exits", #"{"country":"al","provider":"\#(name)"}"#, deadline: 15)
                #expect(answer.status == 503 && answer.text.contains("catalog_unavailable"), "\(answer.text)")
                #expect(answer.text.contains(words) && !answer.text.contains(other), "\(answer.text)")
            }
            #expect(try await program.call("POST", "/api/exits", #"{"country":"al"}"#, deadline: 15).status == 202)
        }
    }

    @Test(arguments: [(500, 503, "catalog_unavailable"), (502, 503, "catalog_unavailable"), (404, 500, "catalog_unreadable")])
    func `a controller that never got a list is not ready, and reading and changing are refused alike`(
        upstream: Int, status: Int, code: String
    ) async throws {
        let provider = try Self.answering(upstream)
        defer { provider.stop() }
        let program = try RunningProgram(provider: Self.url(provider))
        try await RunningProgram.with([program]) {
            try await eventually("it says that it has no list", within: 60) {
                let ready = try await program.call("GET", "/health/ready")
                return ready.status == 503 && ready.text.contains("\"catalog\":") && ready.text.contains("status \(upstream)")
            }
            #expect(try await program.call("GET", "/health/deep").text.contains("status \(upstream)"))
            #expect(try await program.call("GET", "/api/providers").text.contains("status \(upstream)"))
            let read = try await program.call("GET", "/api/nordvpn/servers")
            let change = try await program.call("POST", "/api/exits", #"{"country":"us"}"#)
            for answer in [read, change] {
                #expect(answer.status == status && answer.text.contains("\"error\":\"\(code)\""), "\(answer.status) \(answer.text)")
            }
        }
    }
}
