import FoundationEssentials
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

/// API keys as an operator uses them: by the command, of a real program.
@Suite(.serialized, .timeLimit(.minutes(3)), .enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"))
struct RealKeyTests {
    private func status(_ program: RunningProgram, _ key: String, _ path: String = "/api/exits") async throws -> Int {
        let client = HTTPClient()
        defer { client.close() }
        return try await client.send(HTTPRequest("GET", "http://127.0.0.1:\(program.port)\(path)", headers: [("X-API-Key", key)])).status
    }

    /// Written by a person, or by a version that asked for less.
    @Test(arguments: [String(repeating: "a", count: 43), "short", "", "0123456789012345678901234567890123456789"])
    func `an admin key that is easy to guess stops the start, and file and remedy are told`(key: String) async throws {
        let program = try RunningProgram()
        let file = "\(program.folder.path)/d/admin.key"
        try Files.makePrivateFolder("\(program.folder.path)/d")
        try Files.write(key + "\n", to: file, mode: 0o600)
        let refused = try await program.sallyport("run", "--config", program.configuration)
        #expect(refused.status == 1 && refused.output.contains("the admin key in \(file)"), "\(refused.output)")
        #expect(refused.output.contains("remove that file, and the next start makes a new key"), "\(refused.output)")
        #expect(key.isEmpty || !refused.output.contains(key), "the key itself is not shown")
        #expect(try Files.read(file) == key + "\n", "it is left as it is")
    }

    @Test func `a key is made, used, renamed and revoked by the command, and the audit log tells of it`() async throws {
        let program = try RunningProgram()
        try await RunningProgram.with([program]) {
            let made = try await program.ask("keys", "add", "dashboard", "--expires-in", "30d", "--json")
            let document = try JSONDecoder().decode(Document.self, from: Data(made.output.utf8))
            let key = try #require(document.field("key")?.string, "\(made.output)")
            #expect(document.field("role")?.string == "viewer" && document.field("expires_at") != nil)
            #expect(try await status(program, key) == 200)
            #expect(try await status(program, key, "/api/auth/keys") == 403)
            let shown = try await program.ask("keys", "add", "deploy", "--role", "operator")
            #expect(
                shown.status == 0 && shown.output.hasPrefix("deploy is made, with the role operator. The key is shown only now: "))

            let renamed = try await program.ask("keys", "rename", "dashboard", "grafana")
            #expect(renamed.status == 0 && renamed.output == "dashboard was renamed to grafana\n", "\(renamed.output)")
            let list = try await program.ask("keys", "list")
            #expect(list.status == 0 && list.output.contains("grafana  viewer") && !list.output.contains(key), "\(list.output)")
            for (words, wanted) in [
                (["add", "deploy"], "there is a key deploy already"), (["revoke", "nobody"], "there is no key nobody"),
                (["revoke", "admin"], "is a key of the configuration"), (["add", "a b"], "name: expected 1 to 64"),
            ] {
                let refused = try await program.run(["keys"] + words)
                #expect(refused.status == 1 && refused.output.contains(wanted), "\(words): \(refused.output)")
            }
            let revoked = try await program.ask("keys", "revoke", "grafana")
            #expect(revoked.status == 0 && revoked.output == "grafana is revoked\n", "\(revoked.output)")
            #expect(try await status(program, key) == 401)

            let log = try await program.ask("audit", "list", "--kind", "change", "--by", "admin", "--limit", "100")
            for action in ["POST /api/auth/keys", "PATCH /api/auth/keys/k", "DELETE /api/auth/keys/k"] {
                #expect(log.status == 0 && log.output.contains(action), "\(log.output)")
            }
            let set = try await program.ask("settings", "set", "requests=70000", "audit_requests=true")
            #expect(set.status == 0 && set.output.contains("requests              70000  set here"), "\(set.output)")
            let back = try await program.ask("settings", "set", "requests=default")
            #expect(back.status == 0 && back.output.contains("requests              1000   as configured"), "\(back.output)")
            for (word, wanted) in [("requests=many", "requests: "), ("colour=1", "colour: "), ("failed_keys=0", "failed_keys: ")] {
                let refused = try await program.ask("settings", "set", word)
                #expect(refused.status == 1 && refused.output.contains(wanted), "\(refused.output)")
            }
            let wrong = try await program.ask("audit", "list", "--kind", "gossip")
            #expect(wrong.status == 1 && wrong.output.contains("kind: unknown value"), "\(wrong.output)")
        }
    }

    @Test func `the ways in say which are open, and a bad list is another trouble than none`() async throws {
        let provider = try ScriptedServer { connection in
            _ = connection.head()
            connection.answer(200, "{\"servers\": 17}")
        }
        let programs = [try RunningProgram(), try RunningProgram(provider: "http://127.0.0.1:\(provider.port)")]
        try await RunningProgram.with(programs) {
            for (program, status, error) in [(programs[0], 503, "catalog_unavailable"), (programs[1], 500, "catalog_unreadable")] {
                let answer = try await program.call("GET", "/api/nordvpn/servers")
                #expect(answer.status == status && answer.text.contains("\"error\":\"\(error)\""), "\(answer.text)")
                let entry = "{\"address\":\"127.0.0.1:\(program.gatewayPort)\",\"by\":\"user\",\"names\":[],\"open\":true,"
                try await eventually("the gateway is open", within: 60) {
                    try await program.call("GET", "/admin/routes").text.contains(entry)
                }
            }
        }
    }
}
