import Model
import Platform

/// Commands for the proxy users.
extension Command {
    static let users = Command(
        name: "users",
        actions: [
            Action("list"), Action("add", "<name>"), Action("set", "<name>"), Action("rotate", "<name>"), Action("token", "<name>"),
            Action("usage", "<name>"), Action("show", "<name>"), Action("remove", "<name>"),
        ],
        summary: "Add, change, remove and list proxy users",
        options: ControllerClient.options + [
            Option(
                name: "password-file", value: "FILE", help: "add, set, rotate: take the password from a file instead of making one",
                field: "password"),
            Option(
                name: "overlap", value: "SECONDS", help: "rotate: how long the old password stays valid (86400)", field: "overlap_seconds"),
            Option(name: "expires", value: "TIME", help: "add, set: 2026-12-31T00:00:00Z; none: never", field: "expires_at"),
            Option(name: "countries", value: "LIST", help: "add, set: allowed countries, us,de; all: no limit"),
            Option(name: "fallback", value: "LIST", help: "add, set: countries that are used instead, in this order; none: the pool's"),
            Option(
                name: "addresses", value: "LIST",
                help: "add, set: the user's networks, 203.0.113.0/24,2001:db8::1; any: no limit"),
            Option(name: "address-rule", value: "RULE", help: "add, set: with_password or instead_of_password"),
            Option(name: "connections", value: "N", help: "add, set: open connections; none: no limit, also below"),
            Option(name: "connections-per-second", value: "N", help: "add, set: new connections a second"),
            Option(name: "bytes-per-day", value: "N", help: "add, set: bytes in both directions; also 500M, 20G"),
            Option(name: "bytes-per-month", value: "N", help: "add, set: the same for a month"),
            Option(name: "bytes-total", value: "N", help: "add, set: the same in total"),
            Option(name: "disable", help: "set: refuse the user and cut running connections"),
            Option(name: "enable", help: "set: accept the user again"),
            Option(
                name: "expires-in", value: "TIME", help: "token: how long it is valid, 12h, 30d; without it for ever",
                field: "expires_in_seconds"),
            Option(name: "remove", help: "token: take the user's token away instead of making one"),
        ],
        examples: [
            "sallyport users add alice", "sallyport users add bob --password-file bob.password --countries us,de --bytes-per-month 50G",
            "sallyport users set bob --connections 20 --expires 2026-12-31T00:00:00Z", "sallyport users rotate alice --overlap 3600",
            "sallyport users token alice --expires-in 90d", "sallyport users usage alice", "sallyport users remove alice",
        ]
    ) { arguments in
        let action = arguments.words[0]
        let name = action == "list" ? "" : try arguments.expect(action, "<name>")[1]
        // It becomes a part of the request's path.
        guard action == "list" || ProxyUser.isValidName(name) else {
            throw UsageError(message: "'\(name)' is not a user's name, expected 1 to 32 of a-z 0-9 _ .")
        }
        if action == "list" { _ = try arguments.expect("list") }
        // What can't be is told before a controller is asked for.
        var body = ["add", "set"].contains(action) ? try userFields(arguments) : action == "rotate" ? try password(arguments) : [:]
        if action == "add" { body["name"] = .string(name) }
        if action == "set", body.isEmpty { throw UsageError(message: "nothing to set; see sallyport users --help") }
        if action == "rotate", let seconds = try arguments.integer("overlap", in: 0...2_592_000) {
            body["overlap_seconds"] = .integer(seconds)
        }
        if action == "token", !arguments.has("remove") { body = try validity(arguments) }
        return try await ControllerClient.with(arguments) { [body] api in
            switch action {
            case "add":
                try printResult(arguments, try await api.call("POST", "/api/users", body: .object(body)), "\(name) may use the proxies")
            case "set":
                try printResult(arguments, try await api.call("PATCH", "/api/users/\(name)", body: .object(body)), "\(name) is changed")
            case "rotate":
                let answer = try await api.call("POST", "/api/users/\(name)/rotate", body: .object(body))
                let end = arguments.time(answer["old_password_expires_at"]).map { ", and the old one until \($0)" } ?? ""
                try printResult(arguments, answer, "\(name) has a new password\(end)")
            case "token": try await changeToken(arguments, of: name, body, api)
            case "usage": showUsage(arguments, try await api.get("/api/users/\(name)/usage?hours=0&days=7"))
            case "remove":
                try await api.call("DELETE", "/api/users/\(name)")
                print(arguments.has("json") ? Document.object(["removed": .string(name)]).json : "\(name) is removed")
            case "show": showUser(arguments, try await api.get("/api/users/\(name)"))
            default: listUsers(arguments, try await api.get("/api/users"))
            }
            return Status.success
        }
    }

    private static func printResult(_ arguments: Arguments, _ answer: Document, _ words: String) throws {
        if arguments.has("json") {
            print(answer.json)
        } else if let password = answer["password"]?.text {
            print("\(words). The password is shown only now: \(password)")
        } else {
            print(words)
        }
    }

    private static func changeToken(
        _ arguments: Arguments, of name: String, _ body: [String: Document], _ api: ControllerClient
    ) async throws {
        guard !arguments.has("remove") else {
            try await api.call("DELETE", "/api/users/\(name)/token")
            return print(arguments.has("json") ? Document.object(["removed": .string(name)]).json : "\(name) has no token any more")
        }
        let answer = try await api.call("POST", "/api/users/\(name)/token", body: .object(body))
        let end = arguments.time(answer["expires_at"]).map { ", valid until \($0)" } ?? ""
        print(
            arguments.has("json")
                ? answer.json : "\(name) has a token for /api/me\(end). It is shown only now: \(answer["token"]?.text ?? "")")
    }

    // MARK: - What a user is made of

    private static func password(_ arguments: Arguments) throws -> [String: Document] {
        guard let path = arguments["password-file"] else { return [:] }
        return ["password": .string(try Files.readText(path, limit: 4096).filter { !$0.isNewline })]
    }

    /// The fields of the API that the options stand for; what they mean is the API's to check.
    private static func userFields(_ arguments: Arguments) throws -> [String: Document] {
        var body = try password(arguments)
        if let text = arguments["expires"] { body["expires_at"] = text == "none" ? .null : .string(text) }
        for (option, nothing) in [("countries", "all"), ("fallback", "none"), ("addresses", "any")] {
            guard let text = arguments[option] else { continue }
            body[option] = .array(text == nothing ? [] : text.split(separator: ",").map { .string(String($0)) })
        }
        if let rule = arguments["address-rule"] { body["address_rule"] = .string(rule) }
        let limits = try limits(arguments)
        if !limits.isEmpty { body["limits"] = .object(limits) }
        if arguments.has("disable"), arguments.has("enable") { throw UsageError(message: "expected --disable or --enable, not both") }
        if arguments.has("disable") { body["disabled"] = .bool(true) }
        if arguments.has("enable") { body["disabled"] = .bool(false) }
        return body
    }

    private static func limits(_ arguments: Arguments) throws -> [String: Document] {
        var limits: [String: Document] = [:]
        for option in ["connections", "connections-per-second", "bytes-per-day", "bytes-per-month", "bytes-total"] {
            guard let text = arguments[option] else { continue }
            limits[option.replacing("-", with: "_")] = text == "none" ? .null : .integer(try amount(text, option))
        }
        return limits
    }

    /// A whole number, with K, M, G or T for thousands of it where bytes are meant.
    private static func amount(_ text: String, _ option: String) throws -> Int {
        let units: [Character: Int] = ["K": 1_000, "M": 1_000_000, "G": 1_000_000_000, "T": 1_000_000_000_000]
        let unit = option.hasPrefix("bytes") ? text.last.flatMap { units[Character($0.uppercased())] } : nil
        guard let number = Int(unit == nil ? text : String(text.dropLast())), number > 0 else {
            throw UsageError(
                message: "--\(option) is \(text), expected a whole number above 0\(option.hasPrefix("bytes") ? ", like 20G," : "") or none")
        }
        let (product, isTooMuch) = number.multipliedReportingOverflow(by: unit ?? 1)
        guard !isTooMuch else { throw UsageError(message: "--\(option) is \(text), which is too large") }
        return product
    }

    // MARK: - Tables

    private static func listUsers(_ arguments: Arguments, _ answer: Document) {
        let rows = (answer["users"]?.items ?? []).map { user in
            [
                user["name"]?.text ?? "", arguments.time(user["created_at"]) ?? "-", arguments.time(user["expires_at"]) ?? "never",
                user["disabled"] == .bool(true) ? "disabled" : user["blocked"]?.text ?? "active",
            ]
        }
        print(arguments.has("json") ? answer.json : Table(["NAME", "SINCE", "EXPIRES", "STATE"], rows, nothing: "no users").text())
    }

    /// Everything of one user, a line each.
    private static func showUser(_ arguments: Arguments, _ user: Document) {
        func words(_ value: Document) -> String {
            switch value {
            case .null: "-"
            case .string(let text): Times.text(text, isUTC: arguments.has("utc"))
            case .bool(let flag): flag ? "yes" : "no"
            case .array(let items): items.isEmpty ? "-" : items.map(words).joined(separator: ", ")
            case .object(let fields):
                fields.sorted { $0.key < $1.key }.map { "\($0.key) \(words($0.value))" }.joined(separator: ", ")
            default: value.json
            }
        }
        guard !arguments.has("json"), case .object(let fields) = user else { return print(user.json) }
        let rows = fields.sorted { ($0.key == "name" ? "" : $0.key) < ($1.key == "name" ? "" : $1.key) }.map { [$0.key, words($0.value)] }
        print(Text.columns(rows), terminator: "")
    }

    /// A user's or an exit's.
    static func showUsage(_ arguments: Arguments, _ answer: Document) {
        func row(_ name: String, _ period: Document?) -> [String] {
            let bytes = ["bytes_in", "bytes_out"].map { period?[$0]?.number.map(Figures.bytes) ?? "-" }
            return [name] + bytes + ["connections", "errors"].map { period?[$0]?.number.map { String(Int($0)) } ?? "-" }
        }
        let rows =
            [row("total", answer["total"]), row("month", answer["month"]), row("today", answer["today"])]
            + (answer["days"]?.items ?? []).map { row(String(($0["from"]?.text ?? "").prefix(10)), $0) }
        print(arguments.has("json") ? answer.json : Table(["PERIOD", "IN", "OUT", "CONNECTIONS", "ERRORS"], rows).text())
    }
}
