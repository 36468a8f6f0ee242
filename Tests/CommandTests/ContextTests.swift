import HTTPServing
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import sallyport

@Suite(.timeLimit(.minutes(1)), .enabled(if: Files.exists(Repository.built("sallyport")), "there is no .build/debug/sallyport"))
struct ContextTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func run(_ words: String, _ environment: [String] = []) async throws -> Programs.Result {
        let arguments = ["-C", "/tmp", "-u", "XDG_CONFIG_HOME", "HOME=\(folder.path)"] + environment + [Repository.built("sallyport")]
        return try await Programs.run("env", arguments + words.split(separator: " ").map(String.init))
    }

    private func key(_ letter: Character) -> String { String(repeating: letter, count: 43) }

    @Test func `options count more than a named context, that more than variables, and these more than the current context`() async throws {
        let asked = Mutex<[String?]>([])
        let server = try HTTPServer(address: "127.0.0.1", port: 0) { request in
            asked.withLock { $0.append(request.headers["x-api-key"].map { String($0.prefix(1)) }) }
            return .ready(.json(["exits": [String]()]))
        }
        let url = "http://127.0.0.1:\(server.port)"
        for letter in "abcd" { try Files.write("\(key(letter))\n", to: "\(folder.path)/\(letter)", mode: 0o600) }
        for (name, letter) in [("one", "a"), ("two", "b")] {
            let added = try await run("context add \(name) --api \(url)/ --key-file \(folder.path)/\(letter)")
            #expect(added.status == 0, "\(added.output)")
        }
        let variables = ["SALLYPORT_API=\(url)", "SALLYPORT_KEY_FILE=\(folder.path)/c"]
        for (words, environment) in [
            ("exits", []), ("exits --context two", []), ("exits", variables), ("exits --context two", variables),
            ("exits", ["SALLYPORT_KEY=\(key("k"))"]), ("exits --key-file \(folder.path)/d --api \(url)", variables),
        ] {
            let result = try await run(words, environment)
            #expect(result.status == 0 && result.output == "no exits\n", "\(words): \(result.output)")
        }
        #expect(try await run("context use two").status == 0)
        #expect(try await run("exits").status == 0)
        #expect(asked.withLock { $0 } == ["a", "b", "c", "b", "k", "d", "b"])
        let table = try await run("context").output.split(separator: "\n").map { $0.split(separator: " ") }
        #expect(table.map { $0.prefix(2) } == [["NAME", "API"], ["one", "\(url)"], ["*", "two"]])
        await server.stop()
    }

    @Test func `contexts are listed, removed, and kept in a file that only its owner reads`() async throws {
        #expect(try await run("context").output.hasPrefix("no contexts"))
        _ = try await run("context add prod --api vpn.example --key-file prod.key")
        let path = "\(folder.path)/.config/sallyport/config.yaml"
        #expect(
            try Files.readText(path) == "current: prod\ncontexts:\n  prod:\n    api: 'http://vpn.example'\n    key_file: '/tmp/prod.key'\n")
        #expect(try await Programs.run("stat", ["-c", "%a", path]).output == "600\n")
        let list = try Document(json: try await run("context list --json").output.utf8)
        #expect(list["contexts"]?.items.first?["current"] == .bool(true))
        #expect(try await run("context remove prod").status == 0)
        #expect(try Contexts.read(path) == Contexts.read("/no/such"))
    }

    @Test(
        arguments: [
            ("context use prd", "there is no context prd: there is none"), ("exits --context x", "there is no context x"),
            ("context add a/b --api x", "'a/b' is not a context's name"), ("context add x", "add needs --api or --key-file"),
            ("context add x --api http://?", "--api is http://?"), ("context us", "did you mean use?"),
        ])
    func `what can't be is told`(words: String, message: String) async throws {
        let result = try await run(words)
        #expect(result.status == 2 && result.output.contains(message), "\(result.output)")
    }

    @Test(
        arguments: [
            ("[]", "expected current and contexts"), ("contexts: [a]", "contexts: expected names"), ("kurrent: x", "no such field kurrent"),
            ("contexts: {x: {url: y}}", "contexts.x: expected api and key_file"), ("current: 7", "current: expected a text"),
            ("contexts: {'a b': {api: y}}", "'a b' is not a context's name"), ("current: x", "there is no context x"), ("a: [", "line "),
        ])
    func `a file that is not one is named`(text: String, message: String) async throws {
        let path = "\(folder.path)/.config/sallyport/config.yaml"
        try Files.makePrivateFolder("\(folder.path)/.config/sallyport")
        try Files.write(text, to: path, mode: 0o600)
        let result = try await run("exits")
        #expect(result.status == 2 && result.output.contains(message), "\(result.output)")
        #expect(try await run("exits", ["SALLYPORT_API=127.0.0.1:1", "SALLYPORT_KEY=k"]).status == 2)
    }
}
