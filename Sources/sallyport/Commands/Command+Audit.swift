import API
import AuditLog
import Model
import Platform

/// Commands for the audit log, and to read the configuration again.
extension Command {
    static let audit = Command(
        name: "audit", actions: [Action("list"), Action("verify"), Action("acknowledge"), Action("export")],
        summary: "Show the audit log, check its chain, acknowledge damage, or write it as JSON lines",
        options: ControllerClient.options + [
            Option(name: "file", value: "FILE", help: "for verify: check an export instead of asking the controller"),
            Option(name: "root-key", value: "FILE", help: "for verify with a file: check also who has written the entries"),
            Option(name: "expect", value: "NUMBER:HASH", help: "for verify: an entry that was noted before"),
            Option(name: "limit", value: "N", help: "for list: the latest N, 1 to 1000 (20)"),
            Option(name: "kind", value: "KIND", help: "for list: change, refused, request, system, retention, gap, damage or acknowledged"),
            Option(name: "by", value: "KEY", help: "for list: only of this API key, by its name or id", field: "key"),
            Option(name: "method", value: "METHOD", help: "for list: only of this method, like POST"),
            Option(name: "path", value: "PATH", help: "for list: only of this path; with * at its end, of all paths that begin so"),
        ],
        examples: [
            "sallyport audit list --limit 50 --kind change", "sallyport audit list --method DELETE --path '/api/pools/*'",
            "sallyport audit verify", "sallyport audit export >audit.jsonl",
            "sallyport audit verify --file audit.jsonl",
        ]
    ) { arguments in
        switch arguments.words[0] {
        case "list":
            _ = try arguments.expect("list")
            var query = "limit=\(try arguments.integer("limit", in: 1...1000) ?? 20)"
            if let kind = arguments["kind"] { query += "&kind=\(PercentEncoding.encode(kind))" }
            if let key = arguments["by"] { query += "&key=\(PercentEncoding.encode(key))" }
            if let method = arguments["method"] { query += "&method=\(PercentEncoding.encode(method.uppercased()))" }
            if let path = arguments["path"] { query += "&path=\(PercentEncoding.encode(path))" }
            return try await ControllerClient.with(arguments) { [query] api in
                let answer = try await api.call("GET", "/audit/logs?\(query)")
                print(arguments.has("json") ? answer.json : table(answer["entries"]?.items ?? [], arguments))
                return Status.success
            }
        case "verify":
            _ = try arguments.expect("verify")
            if let file = arguments["file"] {
                return try verify(file, arguments)
            }
            return try await ControllerClient.with(arguments) { api in
                let query = arguments["expect"].map { "?expect=\(PercentEncoding.encode($0))" } ?? ""
                let found = try await api.call("GET", "/audit/verify\(query)", deadline: 600)
                if arguments.has("json") {
                    print(found.json)
                } else {
                    show(found)
                }
                return found["intact"] == .bool(true) ? Status.success : Status.failure
            }
        case "acknowledge":
            _ = try arguments.expect("acknowledge")
            return try await ControllerClient.with(arguments) { api in
                let found = try await api.call("POST", "/audit/acknowledge", deadline: 600)
                if arguments.has("json") { print(found.json) } else { show(found) }
                return Status.success
            }
        default:
            _ = try arguments.expect("export")
            return try await ControllerClient.with(arguments) { api in
                var after = 0
                while true {
                    let text = try await api.text("/audit/export?limit=10000&after=\(after)")
                    print(text, terminator: "")
                    let lines = text.split(separator: "\n")
                    guard lines.count == 10_000, let last = lines.last.flatMap({ AuditLine(exported: String($0)) }) else { break }
                    after = last.seq
                }
                return Status.success
            }
        }
    }

    static let reload = Command(
        name: "reload", summary: "Have the controller read its configuration again", options: ControllerClient.options,
        examples: ["sallyport reload"]
    ) { arguments in
        _ = try arguments.expect()
        return try await ControllerClient.with(arguments) { api in
            let answer = try await api.call("POST", "/admin/reload")
            func names(_ field: String) -> String { (answer[field]?.items ?? []).compactMap(\.text).joined(separator: ", ") }
            if arguments.has("json") {
                print(answer.json)
            } else {
                print(names("changed").isEmpty ? "nothing has changed" : "in force now: \(names("changed"))")
                if !names("needs_restart").isEmpty { print("after a restart: \(names("needs_restart"))") }
            }
            return Status.success
        }
    }

    private static func verify(_ file: String, _ arguments: Arguments) throws -> Int32 {
        let text = arguments["expect"]
        let authenticator = try arguments["root-key"].map { Authenticator(try RootKey.read($0), purpose: AuditChain.purpose) }
        var verifier = AuditChain.Verifier(expecting: try text.map { [try head($0)] } ?? [], authenticator: authenticator)
        var unreadable: [String] = []
        for (number, line) in try Files.read(file, limit: 1 << 30).split(separator: "\n").enumerated() {
            if let entry = AuditLine(exported: String(line)) {
                verifier.read(entry)
            } else {
                unreadable.append("line \(number + 1) is not an entry")
            }
        }
        verifier.finish(stored: nil)
        let problems = unreadable + verifier.problems
        if arguments.has("json") {
            let found = Document.object([
                "entries": .integer(verifier.count), "head": verifier.head.map { .string($0.text) } ?? .null,
                "problems": .array(problems.map(Document.string)), "intact": .bool(problems.isEmpty),
            ])
            print(found.json)
        } else {
            show(verifier.count, verifier.head, problems)
        }
        return problems.isEmpty ? Status.success : Status.failure
    }

    private static func head(_ text: String) throws -> AuditHead {
        guard let head = AuditHead(text.replacing(":", with: " ")) else {
            throw UsageError(message: "--expect is \(text), expected number:hash, as verify shows it")
        }
        return head
    }

    private static func table(_ entries: [Document], _ arguments: Arguments) -> String {
        // The newest last, as in a log.
        let rows = entries.reversed().map { entry in
            [
                String(Int(entry["seq"]?.number ?? 0)), arguments.time(entry["at"]) ?? "", entry["kind"]?.text ?? "",
                entry["key"]?.text ?? "-", entry["address"]?.text ?? "-", entry["status"]?.number.map { String(Int($0)) } ?? "-",
                entry["method"]?.text.map { "\($0) \(entry["path"]?.text ?? "")" } ?? entry["action"]?.text ?? "",
                entry["details"]?.text ?? "",
            ]
        }
        let heads = ["NUMBER", "AT", "KIND", "KEY", "FROM", "STATUS", "WHAT", "DETAILS"]
        return Table(heads, rows, nothing: "no entries").text()
    }

    private static func show(_ found: Document) {
        func texts(_ name: String) -> [String] { (found[name]?.items ?? []).compactMap(\.text) }
        show(
            Int(found["entries"]?.number ?? 0), found["head"]?.text.flatMap(AuditHead.init), texts("problems"),
            acknowledged: texts("acknowledged"))
    }

    private static func show(_ count: Int, _ head: AuditHead?, _ problems: [String], acknowledged: [String] = []) {
        for problem in problems { print(acknowledged.contains(problem) ? "\(problem) (acknowledged)" : problem) }
        let end = head.map { ", the last is \($0.text.replacing(" ", with: ":"))" } ?? ""
        print(problems.isEmpty ? "intact: \(count) entries\(end)" : "not intact: \(problems.count) problems in \(count) entries")
    }
}
