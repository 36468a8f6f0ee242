import FoundationEssentials
import HTTPServing
import Model
import Platform
@testable import sallyport
import Synchronization
import TestSupport
import Testing

/// The program as it was built, in a process of its own.
@Suite(.timeLimit(.minutes(1)), .enabled(if: Files.exists(Repository.built("sallyport")), "there is no .build/debug/sallyport"))
struct ProgramTests {
    private func run(_ arguments: String..., environment: [String] = []) async throws -> Programs.Result {
        try await Programs.run("env", ["-C", "/tmp"] + environment + [Repository.built("sallyport")] + arguments)
    }

    @Test(arguments: Command.all.map(\.name)) func `every command has its help`(name: String) async throws {
        let command = try #require(Command.all.first { $0.name == name })
        for flag in ["--help", "-h"] {
            let result = try await run(name, flag)
            #expect(result.status == 0 && result.output == command.help)
        }
        #expect(command.help.contains("Usage: sallyport \(name)") && command.help.contains("--help"))
        for option in command.options { #expect(command.help.contains("--\(option.name)") && !option.help.isEmpty) }
        for example in command.examples { #expect(example.contains("sallyport \(name)")) }
    }

    @Test func `the overview names every command`() async throws {
        let result = try await run("--help")
        #expect(result.status == 0)
        for command in Command.all { #expect(result.output.contains("\n  \(command.name) ")) }
        #expect(try await run().status == 2)
        for word in ["--version", "-V", "version"] {
            let version = try await run(word)
            #expect(version.status == 0 && version.output == "sallyport \(Version.current)\n")
        }
        let version = try await run("version", "--json")
        #expect(try Document(json: version.output.utf8)["version"]?.text == Version.current)
    }

    @Test(
        arguments: [
            (["fly"], "unknown command fly; `sallyport --help` lists them"), (["exit"], "did you mean exits?"),
            (["exits", "--colour"], "unknown option --colour"), (["up"], "<country> is missing"),
            (["up", "zz", "--key-file", "/dev/null"], "'zz' is not a country, expected a code like us"),
            (["up", "us", "germny"], "did you mean germany?"), (["down", "us", "de"], "unexpected de"),
            (["exits", "--key-file", "/no/such"], "reading /no/such"),
            (["users", "lst"], "unknown lst, expected list, add, set, rotate, token, usage, show or remove; did you mean list?"),
            (["users", "token"], "<name> is missing"), (["users", "token", "bob", "--expires-in", "soon"], "--expires-in is soon"),
            (["store"], "expected check, adopt, drop or rotate"), (["users", "list", "--jsn"], "did you mean --json?"),
            (["cities"], "<country> is missing"), (["completion", "fisch"], "did you mean fish?"), (["version", "x"], "unexpected x"),
            (["logs", "us"], "'us' is not an exit's name"), (["logs", "us-1", "--follow"], "--follow is for the controller's log"),
            (["users", "set", "bob"], "nothing to set"),
            (["users", "add", "bob", "--bytes-total", "5X"], "expected a whole number above 0"),
            (["run", "--open", "zz"], "--open is zz"), (["doctor", "us"], "unexpected us"), (["doctor", "--fix"], "unknown option --fix"),
            (["keys", "add"], "<name> is missing"),
            (["keys", "add", "x", "--role", "king"], "--role is king, expected viewer, operator, admin"),
            (["keys", "add", "x", "--expires-in", "soon"], "--expires-in is soon"),
            (["keys", "add", "x", "--expires-in", "99999999999d"], "--expires-in is 99999999999d"),
            (["settings", "set"], "<name>=<value> is missing"), (["settings", "set", "x"], "'x' is not a setting"),
            (["settings", "get"], "unknown get"), (["up", "us", "--standby", "9"], "--standby is 9"),
            (["up", "us", "--rotate-every", "soon"], "--rotate-every is soon"),
            (["exits", "rotate"], "<exit> is missing"), (["audit", "lisst"], "expected list, verify, acknowledge or export"),
            (["audit", "list", "--limit", "0"], "--limit is 0"),
            (["up", "us", "--timeout", "0"], "--timeout is 0"), (["config", "--config", "/no/such"], "reading /no/such"),
            (["config"], "providers.nordvpn: is missing"), (["run"], "providers.nordvpn: is missing"),
            (["teardown", "--config", "/dev/null"], "is missing"),
        ])
    func `a wrong line or configuration is status 2, and says why`(line: [String], message: String) async throws {
        let result = try await Programs.run("env", ["-C", "/tmp", Repository.built("sallyport")] + line)
        #expect(result.status == 2 && result.output.contains(message), "\(result.output)")
        #expect(result.output.hasPrefix("sallyport: "))
    }

    @Test(arguments: [
        "exits", "status", "up us", "down us-1", "users", "users token bob", "keys", "pools", "alerts", "breakers", "cities us",
        "logs us-1", "users list",
        "keys list", "exits rotate us-1", "audit list", "audit export", "reload",
    ])
    func `where no controller answers the status is 3`(line: String) async throws {
        let folder = try TemporaryFolder()
        try Files.write(String(repeating: "k", count: 43), to: "\(folder.path)/key", mode: 0o600)
        let arguments =
            line.split(separator: " ").map(String.init)
            + ["--api", "http://127.0.0.1:\(try Ports.free())", "--key-file", "\(folder.path)/key"]
        let result = try await Programs.run(Repository.built("sallyport"), arguments)
        #expect(result.status == 3 && result.output.contains("no controller answers on http://127.0.0.1:"), "\(result.output)")
    }

    @Test func `a good configuration is printed`() async throws {
        let folder = try TemporaryFolder()
        try Files.write("the-access-token", to: "\(folder.path)/token", mode: 0o600)
        let result = try await run(
            "config",
            environment: ["SALLYPORT_SHARE_DIR=\(Repository.root)", "SALLYPORT_PROVIDERS_NORDVPN_ACCESS_TOKEN_FILE=\(folder.path)/token"])
        #expect(
            result.status == 0
                && result.output.split(separator: "\n").contains { $0.split(separator: " ") == ["api.port", "8080", "default"] },
            "\(result.output)")
        #expect(!result.output.contains("the-access-token"))
    }

    @Test func `a proxy in the environment carries none of our requests`() async throws {
        let folder = try TemporaryFolder()
        try Files.write(String(repeating: "k", count: 43), to: "\(folder.path)/key", mode: 0o600)
        let proxy = try ScriptedServer { connection in
            _ = connection.head()
            connection.answer(500, "from the proxy")
        }
        let keys = Mutex<[String?]>([])
        let server = try HTTPServer(address: "127.0.0.1", port: 0) { request in
            keys.withLock { $0.append(request.headers["x-api-key"]) }
            return .ready(.json(["exits": [String]()]))
        }
        let address = "http://127.0.0.1:\(proxy.port)"
        let result = try await run(
            "exits", "--api", "http://127.0.0.1:\(server.port)", "--key-file", "\(folder.path)/key",
            environment: ["http_proxy=\(address)", "HTTP_PROXY=\(address)", "ALL_PROXY=\(address)", "all_proxy=\(address)"])
        #expect(result.status == 0 && result.output == "no exits\n", "\(result.output)")
        #expect(proxy.count == 0 && keys.withLock { $0 } == [String(repeating: "k", count: 43)])
        await server.stop()
    }

    @Test(arguments: [(401, "no such API key", 1), (403, "role too low", 1), (503, "the store is away", 1)])
    func `a controller's refusal is told in its own words`(status: Int, message: String, exit: Int32) async throws {
        let folder = try TemporaryFolder()
        try Files.write(String(repeating: "k", count: 43), to: "\(folder.path)/key", mode: 0o600)
        let server = try HTTPServer(address: "127.0.0.1", port: 0) { request in
            .ready(APIProblem(status: status, code: "word", message: message).response(id: request.id))
        }
        let result = try await run("down", "us-1", "--api", "http://127.0.0.1:\(server.port)", "--key-file", "\(folder.path)/key")
        #expect(result.status == exit && result.output == "sallyport: \(message)\n")
        await server.stop()
    }

    @Test func `a pool is changed by what is named, and keeps everything else`() async throws {
        let folder = try TemporaryFolder()
        try Files.write(String(repeating: "k", count: 43), to: "\(folder.path)/key", mode: 0o600)
        let puts = Mutex<[String]>([])
        let pool =
            #"{"country":"US","name":"United States","serving":1,"size":2,"strategy":"load","spread":"random","fallback":["CA"],"#
            + #""standby":1,"rotate_every":3600,"city":"Dallas","exits":["us-1"]}"#
        let server = try HTTPServer(address: "127.0.0.1", port: 0) { request in
            if request.method == "PUT" { puts.withLock { $0.append(String(decoding: request.body, as: UTF8.self)) } }
            return .ready(.json(bytes: Array((request.path.last == "exits" ? #"{"exits":[]}"# : pool).utf8)))
        }
        func put(_ words: [String]) async throws -> Document {
            let line = ["up", "us", "--no-wait", "--api", "http://127.0.0.1:\(server.port)", "--key-file", "\(folder.path)/key"] + words
            let result = try await Programs.run(Repository.built("sallyport"), line)
            #expect(result.status == 0, "\(result.output)")
            return try JSONDecoder().decode(Document.self, from: Data((puts.withLock { $0.last } ?? "").utf8))
        }
        var kept: [String: Document] = [
            "size": .integer(2), "strategy": .string("load"), "spread": .string("random"), "fallback": .array([.string("CA")]),
            "standby": .integer(1), "rotate_every": .integer(3600), "city": .string("Dallas"),
        ]
        #expect(try await put([]) == .object(kept))
        kept["size"] = .integer(3)
        #expect(try await put(["--size", "3"]) == .object(kept))
        kept.merge(["city": .null, "rotate_every": .null, "fallback": .array([]), "standby": .integer(0)]) { $1 }
        #expect(
            try await put(["--size", "3", "--city", "any", "--rotate-every", "never", "--fallback", "none", "--standby", "0"])
                == .object(kept))
        await server.stop()
    }

    @Test func `a name never reaches another path of the API`() async throws {
        let folder = try TemporaryFolder()
        try Files.write(String(repeating: "k", count: 43), to: "\(folder.path)/key", mode: 0o600)
        let paths = Mutex<[[String]]>([])
        let server = try HTTPServer(address: "127.0.0.1", port: 0) { request in
            paths.withLock { $0.append(request.path) }
            return .ready(.noContent)
        }
        for name in ["../exits/us-1", "a/b", "a?b", "a b", "", "..", "alice"] {
            _ = try await run("users", "remove", name, "--api", "http://127.0.0.1:\(server.port)", "--key-file", "\(folder.path)/key")
        }
        #expect(paths.withLock { $0 } == [["api", "users", ".."], ["api", "users", "alice"]])
        await server.stop()
    }
}
