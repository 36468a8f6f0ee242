import API
import AccessControl
import Model
import Platform

/// Commands for API keys.
extension Command {
    static let keys = Command(
        name: "keys",
        actions: [Action("list"), Action("add", "<name>"), Action("rename", "<key> <name>"), Action("revoke", "<key>")],
        summary: "Make, rename, revoke and list API keys; <key> is a key's name or id",
        options: ControllerClient.options + [
            Option(name: "role", value: "ROLE", help: "for add: viewer, operator or admin (viewer)"),
            Option(
                name: "expires-in", value: "TIME", help: "for add: how long the key is valid, 12h, 30d; without it for ever",
                field: "expires_in_seconds"),
        ],
        examples: [
            "sallyport keys list", "sallyport keys add dashboard", "sallyport keys add deploy --role operator --expires-in 30d",
            "sallyport keys rename dashboard grafana", "sallyport keys revoke deploy --json",
        ]
    ) { arguments in
        let action = arguments.words[0]
        let words =
            switch action {
            case "add": try arguments.expect("add", "<name>")
            case "rename": try arguments.expect("rename", "<key>", "<name>")
            case "revoke": try arguments.expect("revoke", "<key>")
            default: try arguments.expect("list")
            }
        let body = action == "add" ? try newKey(words[1], arguments) : [:]
        return try await ControllerClient.with(arguments) { api in
            switch action {
            case "list":
                let answer = try await api.get("/api/auth/keys")
                print(arguments.has("json") ? answer.json : table(answer["keys"]?.items ?? [], arguments))
            case "add":
                let key = try await api.call("POST", "/api/auth/keys", body: .object(body))
                print(
                    arguments.has("json")
                        ? key.json
                        : "\(words[1]) is made, with the role \(key["role"]?.text ?? ""). The key is shown only now: \(key["key"]?.text ?? "")"
                )
            case "rename":
                let path = try await path(of: words[1], api)
                let key = try await api.call("PATCH", path, body: .object(["name": .string(words[2])]))
                print(arguments.has("json") ? key.json : "\(words[1]) was renamed to \(words[2])")
            default:
                try await api.call("DELETE", try await path(of: words[1], api))
                print(arguments.has("json") ? Document.object(["revoked": .string(words[1])]).json : "\(words[1]) is revoked")
            }
            return Status.success
        }
    }

    private static func newKey(_ name: String, _ arguments: Arguments) throws -> [String: Document] {
        let role = arguments["role"] ?? "viewer"
        guard Role(rawValue: role) != nil else {
            throw UsageError(message: "--role is \(role), expected \(Role.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return ["name": .string(name), "role": .string(role)].merging(try validity(arguments)) { $1 }
    }

    /// `expires_in_seconds` of the API, by the option `--expires-in`; nothing without it.
    static func validity(_ arguments: Arguments) throws -> [String: Document] {
        guard let text = arguments["expires-in"] else { return [:] }
        let unit = text.last.flatMap { ["s": 1, "m": 60, "h": 3600, "d": 86_400][$0] }
        // Of ten digits at most, so that it can't overflow.
        guard let unit, text.utf8.count <= 11, let count = Int(text.dropLast()), (60...315_360_000).contains(count * unit)
        else { throw UsageError(message: "--expires-in is \(text), expected 60s to 3650d, like 12h or 30d") }
        return ["expires_in_seconds": .integer(count * unit)]
    }

    private static func path(of word: String, _ api: ControllerClient) async throws -> String {
        let keys = try await api.get("/api/auth/keys")["keys"]?.items ?? []
        guard let id = (keys.first { $0["name"]?.text == word } ?? keys.first { $0["id"]?.text == word })?["id"]?.text else {
            throw APIError(status: 404, code: "not_found", message: "there is no key \(word); `sallyport keys list` shows them")
        }
        return "/api/auth/keys/\(PercentEncoding.encode(id))"
    }

    private static func table(_ keys: [Document], _ arguments: Arguments) -> String {
        let rows = keys.map { key in
            [
                key["name"]?.text ?? "", key["role"]?.text ?? "", key["id"]?.text ?? "", arguments.time(key["expires_at"]) ?? "never",
                arguments.time(key["last_used_at"]) ?? "-",
            ]
        }
        return Table(["NAME", "ROLE", "ID", "EXPIRES", "LAST USE"], rows, nothing: "no keys").text()
    }
}
