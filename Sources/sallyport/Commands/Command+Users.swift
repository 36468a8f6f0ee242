import Model
import Platform

/// Commands for the proxy users.
extension Command {
    static let users = Command(
        name: "users", usage: "add <name> | remove <name> | list", summary: "Add, remove and list proxy users",
        options: ControllerClient.options + [
            Option(name: "password-file", value: "FILE", help: "for add: take the password from a file instead of making one")
        ],
        examples: ["sallyport users add alice", "sallyport users add bob --password-file bob.password", "sallyport users remove alice"]
    ) { arguments in
        guard let action = arguments.words.first else { throw UsageError(message: "want add, remove or list") }
        return try await ControllerClient.with(arguments) { api in
            switch action {
            case "add":
                let name = try arguments.expect("add", "<name>")[1]
                var body: [String: Document] = ["name": .string(name)]
                if let path = arguments["password-file"] {
                    body["password"] = .string(try Files.read(path, limit: 4096).filter { !$0.isNewline })
                }
                let answer = try await api.call("POST", "/api/users", body: .object(body))
                if arguments.has("json") {
                    print(answer.json)
                } else if let password = answer["password"]?.text {
                    print("\(name) may use the proxies with this password, which is shown only now: \(password)")
                } else {
                    print("\(name) may use the proxies")
                }
            case "remove":
                let name = try arguments.expect("remove", "<name>")[1]
                // It becomes a part of the request's path.
                guard ProxyUser.isValidName(name) else {
                    throw UsageError(message: "\(name) is no user's name, want 1 to 32 of a-z 0-9 _ .")
                }
                try await api.call("DELETE", "/api/users/\(name)")
                print(arguments.has("json") ? Document.object(["removed": .string(name)]).json : "\(name) is removed")
            case "list":
                _ = try arguments.expect("list")
                let answer = try await api.get("/api/users")
                let rows = (answer["users"]?.items ?? []).map { [$0["name"]?.text ?? "", $0["created_at"]?.text ?? ""] }
                print(
                    arguments.has("json")
                        ? answer.json : rows.isEmpty ? "no users" : String(Text.columns([["NAME", "SINCE"]] + rows).dropLast()))
            default: throw UsageError(message: "unknown \(action), want add, remove or list")
            }
            return Status.success
        }
    }
}
