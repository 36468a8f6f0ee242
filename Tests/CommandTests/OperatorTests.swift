import HTTPServing
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import sallyport

/// The command as an operator types it, against a controller that is written here.
@Suite(.timeLimit(.minutes(1)), .enabled(if: Files.exists(Repository.built("sallyport")), "there is no .build/debug/sallyport"))
struct OperatorTests {
    private final class Asked: Sendable {
        let targets = Mutex<[String]>([])
    }

    /// Runs commands against answers in JSON by path and query; whatever else is asked for is an empty object.
    private func with(
        _ answer: @escaping @Sendable (String, [String: String]) -> String?,
        _ body: (_ run: ([String]) async throws -> Programs.Result, _ url: String, _ asked: Asked) async throws -> Void
    ) async throws {
        let folder = try TemporaryFolder()
        try Files.write(String(repeating: "k", count: 43), to: "\(folder.path)/key", mode: 0o600)
        let asked = Asked()
        let server = try HTTPServer(address: "127.0.0.1", port: 0) { request in
            let path = "/" + request.path.joined(separator: "/")
            let query = Dictionary(request.query.map { ($0.name, $0.value) }) { $1 }
            asked.targets.withLock { $0.append(path + query.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()) }
            return .ready(.json(bytes: Array((answer(path, query) ?? "{}").utf8)))
        }
        let url = "http://127.0.0.1:\(server.port)"
        func run(_ words: [String]) async throws -> Programs.Result {
            let api = words.contains { $0.hasPrefix("--api") } ? [] : ["--api", url]
            return try await Programs.run(
                "env", ["-C", "/tmp", Repository.built("sallyport")] + words + api + ["--key-file", "\(folder.path)/key"])
        }
        do { try await body(run, url, asked) } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    /// 2,500 events in pages, of which every second is of Germany.
    @Sendable private static func events(_ query: [String: String]) -> String {
        let after = query["after"].flatMap { EventPlace($0)?.number }.map { Int($0) }
        let size = query["limit"].flatMap { Int($0) } ?? 100
        let last = 2_500
        let range = after.map { $0 + 1..<min($0 + size, last) + 1 } ?? (last - size + 1..<last + 1)
        let wanted = range.filter { query["country"] == nil || $0 % 2 == 0 }
        let items = wanted.map { #"{"id":"1-\#($0)","at":"T","kind":"k","severity":"info","message":"event \#($0)."}"# }
        return #"{"events":[\#(items.joined(separator: ","))],"last":"1-\#(max(range.upperBound - 1, after ?? 0))"}"#
    }

    @Test(
        arguments: [
            (["--since", "1-0", "--limit", "3"], 3, "event 2498."), (["--limit", "3", "--since=1-2400"], 3, "event 2498."),
            (["--since", "1-0", "--limit", "1000"], 1_000, "event 1501."), (["--since", "1-2499", "--limit", "3"], 1, "event 2500."),
            (["--since", "1-0"], 2_500, "event 1."), ([], 20, "event 2481."), (["--limit", "5", "--country", "de"], 5, "event 2492."),
            (["--since", "1-0", "--limit", "5", "--country", "de", "--json"], 5, "event 2492."),
        ] as [([String], Int, String)])
    func `events are the latest so many of those that are asked for`(words: [String], count: Int, first: String) async throws {
        try await with({ path, query in path == "/api/events" ? Self.events(query) : nil }) { run, _, _ in
            let result = try await run(["events"] + words)
            let lines = result.output.split(separator: "\n")
            #expect(result.status == 0 && lines.count == count, "\(lines.count) lines")
            #expect(lines.first?.contains(first) == true, "\(lines.first ?? "")")
        }
    }

    @Test func `an address with slashes at its end, or without a scheme, is the address`() async throws {
        try await with({ path, _ in path == "/api/exits" ? #"{"exits":[]}"# : nil }) { run, url, asked in
            for address in [url, url + "/", url + "///", String(url.dropFirst(7)), url.replacing("http:", with: "HTTP:"), " \(url)/ "] {
                let result = try await run(["exits", "--api", address])
                #expect(result.status == 0 && result.output == "no exits\n", "\(address): \(result.output)")
            }
            #expect(asked.targets.withLock { $0 } == Array(repeating: "/api/exits", count: 6))
            for address in ["ftp://127.0.0.1:1", "http://", "/", "http://u:p@127.0.0.1:1", url + "/?x=1", url + "#x", ""] {
                let result = try await run(["exits", "--api=\(address)"])
                #expect(result.status == 2 && result.output.contains("--api is"), "\(address): \(result.output)")
            }
        }
    }

    @Test func `a level is known by each of its names`() async throws {
        try await with({ path, _ in path == "/api/logs" ? #"{"lines":[],"last":"x-1"}"# : nil }) { run, _, asked in
            for level in ["warn", "warning", "WARNING", "Warn"] { #expect(try await run(["logs", "--level", level]).status == 0) }
            #expect(asked.targets.withLock { Set($0) } == ["/api/logs level=warn lines=100"])
            let wrong = try await run(["logs", "--level", "loud"])
            #expect(wrong.status == 2 && wrong.output.contains("expected debug, info, warning or error"), "\(wrong.output)")
        }
    }

    @Test(arguments: [("critical", Int32(1)), ("warning", 0), ("info", 0)], [[String](), ["--json"]])
    func `the status of a controller with a critical alert is none of success`(alert: (String, Int32), words: [String]) async throws {
        try await with({ path, _ in
            switch path {
            case "/health/ready": #"{"status":"ready","problems":{},"role":"leader"}"#
            case "/api/alerts": #"{"alerts":[{"id":"pool:us","severity":"\#(alert.0)","message":"nobody serves US","remedy":"look"}]}"#
            case "/api/pools": #"{"pools":[]}"#
            case "/api/exits": #"{"exits":[]}"#
            default: nil
            }
        }) { run, _, _ in
            let result = try await run(["status"] + words)
            #expect(result.status == alert.1, "\(result.output)")
            if words.isEmpty { #expect(result.output.hasPrefix(alert.0 == "critical" ? "ready, 1 critical alert\n" : "ready\n")) }
        }
    }

    @Test(arguments: [("critical", Int32(1)), ("warning", 0)])
    func `each list shows what there is, and alerts end with 1 while one is critical`(severity: String, status: Int32) async throws {
        let servers = [("Berlin", 9), ("Frankfurt", 5), ("Frankfurt", 3)].map { city, load in #"{"city":"\#(city)","load":\#(load)}"# }
        let answers = [
            "/api/alerts": #"{"alerts":[{"severity":"\#(severity)","message":"nobody serves US","remedy":"look"}]}"#,
            "/api/pools": #"{"pools":[{"country":"US","size":2,"serving":1,"standby":0,"strategy":"load","city":"Dallas"}]}"#,
            "/api/breakers": #"{"breakers":[{"name":"server:x","state":"open","openings":2,"reason":"blackhole"}]}"#,
            "/api/all/servers": #"{"servers":[\#(servers.joined(separator: ","))]}"#, "/api/exits/us-1/logs": "one\ntwo \u{1B}[2J\n",
        ]
        try await with({ path, _ in answers[path] }) { run, _, asked in
            let shown: [([String], [String])] = [
                (["alerts"], ["\(severity): nobody serves US", "look"]),
                (["pools"], ["POOL SERVING SIZE STANDBY STRATEGY LIMITS", "US 1 2 0 load Dallas"]),
                (["breakers"], ["WHAT STATE OPENINGS UNTIL REASON", "server:x open 2 - blackhole"]),
                (["cities", "germany"], ["CITY SERVERS BEST LOAD", "Berlin 1 9 %", "Frankfurt 2 3 %"]),
                (["logs", "us-1", "--lines", "2"], ["one", "two [2J"]),
            ]
            for (words, wanted) in shown {
                let result = try await run(words)
                let lines = result.output.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
                #expect(lines == wanted && result.status == (words == ["alerts"] ? status : 0), "\(result.output)")
            }
            #expect(asked.targets.withLock { $0 }.contains("/api/all/servers country=de limit=20000"))
        }
    }

    @Test func `several countries come up at once, by code or by name`() async throws {
        let exits = ["US", "GB"].map { #"{"id":"\#($0.lowercased())-1","country":"\#($0)","state":"serving"}"# }
        try await with({ path, _ in path == "/api/exits" ? #"{"exits":[\#(exits.joined(separator: ","))]}"# : nil }) { run, _, asked in
            let result = try await run(["up", "us", "united-kingdom"])
            #expect(result.status == 0 && result.output.contains("us-1") && result.output.contains("gb-1"), "\(result.output)")
            #expect(asked.targets.withLock { Set($0) } == ["/api/pools/us", "/api/pools/gb", "/api/exits"])
        }
        try await with({ path, _ in path == "/api/exits" ? #"{"exits":[\#(exits[0])]}"# : nil }) { run, _, _ in
            let result = try await run(["up", "us", "gb", "--timeout", "1"])
            #expect(result.status == 1 && result.output.contains("not all exits of United Kingdom serve after 1 s"), "\(result.output)")
        }
    }

    @Test func `output that a full disk does not take is an error, and a reader that has enough is none`() async throws {
        let program = Repository.built("sallyport")
        for words in ["help", "help exits", "--version"] {
            let full = try await Programs.run("sh", ["-c", "\(program) \(words) >/dev/full"])
            #expect(full.status == 1 && full.output.contains("standard output: No space left on device"), "\(words): \(full)")
            let head = try await Programs.run("bash", ["-c", "set -o pipefail; \(program) \(words) | true"])
            #expect(head.status == 0 && head.output.isEmpty, "\(words): \(head)")
        }
    }

    @Test(arguments: Command.all.map(\.name)) func `help knows every command`(name: String) async throws {
        let help = try #require(Command.all.first { $0.name == name }).help
        for words in [["help", name], ["--help", name], ["-h", name]] {
            let result = try await Programs.run(Repository.built("sallyport"), words)
            #expect(result.status == 0 && result.output == help)
        }
    }

    @Test func `help on what is no command says so`() async throws {
        let wrong = try await Programs.run(Repository.built("sallyport"), ["help", "fly"])
        #expect(wrong.status == 2 && wrong.output.contains("unknown command fly"))
        #expect(try await Programs.run(Repository.built("sallyport"), ["help"]).output == Command.overview)
        #expect(try await Programs.run(Repository.built("sallyport"), ["help", "help"]).output == Command.overview)
    }

    @Test(arguments: [1, 2, 5, 10, 20, 40, 80, 200], [0, 7, 3_600])
    func `progress keeps to one line of the terminal`(columns: Int, seconds: Int) {
        let words = "Germany: 1 of 3 serve; de-1 serving, de-2 verifying, de-3 pending (handshake_timeout)"
        let line = Progress.line(words, seconds: seconds, columns: columns)
        #expect(line.count < columns || line.isEmpty)
        if columns >= 20 { #expect(line.hasPrefix("Germany") && line.hasSuffix(" (\(seconds) s)")) }
        #expect(Progress.line("short", seconds: seconds, columns: 80) == "short (\(seconds) s)")
    }

    @Test func `the configuration is shown with where each value comes from, and without a secret`() async throws {
        let folder = try TemporaryFolder()
        try Files.write("the-access-token", to: "\(folder.path)/token", mode: 0o600)
        let file = "\(folder.path)/c.yaml"
        try Files.write(
            """
            share_dir: \(Repository.root)
            api: {port: 9000, limits: {requests: 77}}
            redis: {url: "redis://:secret-of-redis@h"}
            providers: {nordvpn: {access_token_file: \(folder.path)/token}}
            """, to: file, mode: 0o600)
        try Files.write("SALLYPORT_HEALTH_DEEP_SECONDS=20\n", to: "\(folder.path)/.env", mode: 0o600)
        func run(_ words: String...) async throws -> Programs.Result {
            try await Programs.run(
                "env",
                ["-C", folder.path, "SALLYPORT_API_PORT=9001", "DOCKER_HOST=unix:///tmp/d.sock", Repository.built("sallyport"), "config"]
                    + ["--config", file] + words)
        }
        let text = try await run().output
        let rows = text.split(separator: "\n").map { $0.split(separator: " ", omittingEmptySubsequences: true).map(String.init) }
        for wanted in [
            ["api.port", "9001", "SALLYPORT_API_PORT"], ["api.limits.requests", "77", file], ["api.address", "127.0.0.1", "default"],
            ["health.deep_seconds", "20.0", "SALLYPORT_HEALTH_DEEP_SECONDS", "in", ".env"],
            ["docker.host", "unix:///tmp/d.sock", "DOCKER_HOST"], ["providers.nordvpn.access_token", "********", file],
        ] { #expect(rows.contains(wanted), "\(wanted) in \(text)") }
        let json = try await run("--json").output
        #expect(json.contains(#""from" : "SALLYPORT_API_PORT""#), "\(json)")
        for output in [text, json] { #expect(!output.contains("the-access-token") && !output.contains("secret-of-redis")) }
        let both = try await run("--running")
        #expect(both.status == 2 && both.output.contains("exclude each other"))
    }

    @Test func `the configuration of the controller that runs is asked from it`() async throws {
        let answer = #"{"settings":[],"values":[{"name":"api.port","value":"8080","from":"default"}]}"#
        try await with({ path, _ in path == "/admin/config" ? answer : nil }) { run, _, _ in
            let result = try await run(["config", "--running"])
            #expect(result.status == 0 && result.output == "SETTING   VALUE  FROM\napi.port  8080   default\n", "\(result.output)")
        }
    }
}
