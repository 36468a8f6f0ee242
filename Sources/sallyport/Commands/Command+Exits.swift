import Model

/// Commands for operators: countries up and down, what there is.
extension Command {
    static let up = Command(
        name: "up", usage: "<country>...", choices: CountryWords.codes,
        summary: "Make or change countries' pools and wait until they serve",
        options: ControllerClient.options + poolOptions + [
            Option(name: "timeout", value: "SECONDS", help: "how long to wait (60)"),
            Option(name: "no-wait", help: "don't wait"),
        ],
        examples: [
            "sallyport up us", "sallyport up germany japan", "sallyport up de --size 3 --city Frankfurt",
            "sallyport up us --standby 1 --fallback ca,mx",
            "sallyport up us --tags p2p --exclude us9001.lab.test", "sallyport up gb --json",
        ]
    ) { arguments in
        guard !arguments.words.isEmpty else { throw UsageError(message: "<country> is missing") }
        let countries = try arguments.words.map { try CountryWords.country($0) }
        let timeout = try arguments.integer("timeout", in: 1...3600) ?? 60
        let changes = try poolFields(arguments)
        return try await ControllerClient.with(arguments) { api in
            var sizes: [CountryCode: Int] = [:]
            for country in countries { sizes[country] = try await setPool(of: country, changes, api) }
            var progress = Progress()
            let end = ContinuousClock.now + .seconds(timeout)
            var exits = try await members(of: countries, api)
            while !arguments.has("no-wait"), let country = lacking(countries, sizes, exits), ContinuousClock.now < end {
                let own = exits.filter { $0["country"]?.text == country.rawValue }
                progress.show(
                    "\(country.name): \(serving(own)) of \(sizes[country] ?? 0) serve; \(own.map(stateWords).joined(separator: ", "))")
                try await Task.sleep(for: .milliseconds(100))
                exits = try await members(of: countries, api)
            }
            progress.end()
            if arguments.has("json") {
                var pools: [Document] = []
                for country in countries { pools.append(try await api.get("/api/pools/\(country.lowercased)")) }
                let named: [String: Document] = pools.count == 1 ? ["pool": pools[0]] : ["pools": .array(pools)]
                print(Document.object(named.merging(["exits": .array(exits)]) { $1 }).json)
            } else {
                print(table(exits))
            }
            if !arguments.has("no-wait"), let country = lacking(countries, sizes, exits) {
                throw try await tooSlow(country, after: timeout, api)
            }
            return Status.success
        }
    }

    static let down = Command(
        name: "down", usage: "<country or exit>", choices: CountryWords.codes, summary: "Remove a country's pool, or one exit",
        options: ControllerClient.options + [
            Option(name: "timeout", value: "SECONDS", help: "how long to wait (60)"), Option(name: "no-wait", help: "don't wait"),
        ],
        examples: ["sallyport down us", "sallyport down de-2"]
    ) { arguments in
        let word = try arguments.expect("<country or exit>")[0]
        let timeout = try arguments.integer("timeout", in: 1...3600) ?? 60
        return try await ControllerClient.with(arguments) { api in
            let isLeft: @Sendable (Document) -> Bool
            if let id = ExitID(word) {
                try await api.call("DELETE", "/api/exits/\(id)")
                isLeft = { $0["id"]?.text == id.description }
            } else {
                let country = try CountryWords.country(word)
                try await api.call("DELETE", "/api/pools/\(country.lowercased)")
                isLeft = { $0["country"]?.text == country.rawValue }
            }
            var progress = Progress()
            let end = ContinuousClock.now + .seconds(timeout)
            var left = try await api.get("/api/exits")["exits"]?.items.filter(isLeft) ?? []
            while !arguments.has("no-wait"), !left.isEmpty, ContinuousClock.now < end {
                progress.show("\(word): \(left.map(stateWords).joined(separator: ", "))")
                try await Task.sleep(for: .milliseconds(100))
                left = try await api.get("/api/exits")["exits"]?.items.filter(isLeft) ?? []
            }
            progress.end()
            if arguments.has("json") {
                print(Document.object(["removed": .string(word), "left": .array(left)]).json)
            } else {
                print("\(word) is down")
            }
            guard arguments.has("no-wait") || left.isEmpty else {
                throw APIError(status: 0, code: "timeout", message: "exits of \(word) are still not removed after \(timeout) s")
            }
            return Status.success
        }
    }

    static let exits = Command(
        name: "exits", actions: [Action("list"), Action("usage", "<exit>"), Action("rotate", "<exit>")],
        summary: "List the exits, show an exit's traffic, or replace an exit by one on another server", options: ControllerClient.options,
        examples: [
            "sallyport exits", "sallyport exits --json | jq -r '.exits[].exit_ip'", "sallyport exits usage us-1",
            "sallyport exits rotate us-1",
        ]
    ) { arguments in
        let action = arguments.words[0]
        guard action != "list" else {
            _ = try arguments.expect("list")
            return try await ControllerClient.with(arguments) { api in
                let answer = try await api.get("/api/exits")
                print(arguments.has("json") ? answer.json : table(answer["exits"]?.items ?? []))
                return Status.success
            }
        }
        let word = try arguments.expect(action, "<exit>")[1]
        guard let id = ExitID(word) else { throw UsageError(message: "'\(word)' is not an exit's name, expected one like us-1") }
        return try await ControllerClient.with(arguments) { api in
            if action == "rotate" {
                let exit = try await api.call("POST", "/api/exits/\(id)/rotate")
                print(arguments.has("json") ? exit.json : "\(id) will be removed when its replacement serves; see `sallyport exits`")
            } else {
                showUsage(arguments, try await api.get("/api/exits/\(id)/usage?hours=0&days=7"))
            }
            return Status.success
        }
    }

    static let status = Command(
        name: "status",
        summary: "Show parts, alerts, pools and exits; the exit status is 0 only if all parts answer and no alert is critical",
        options: ControllerClient.options,
        examples: ["sallyport status", "sallyport status --json"]
    ) { arguments in
        _ = try arguments.expect()
        return try await ControllerClient.with(arguments) { api in
            let ready = try await api.get("/health/ready")
            let pools = try await api.get("/api/pools")["pools"]?.items ?? []
            let exits = try await api.get("/api/exits")["exits"]?.items ?? []
            let alerts = try await api.get("/api/alerts")["alerts"]?.items ?? []
            let isReady = ready["status"]?.text == "ready"
            let critical = alerts.count { $0["severity"]?.text == "critical" }
            if arguments.has("json") {
                print(
                    Document.object([
                        "ready": .bool(isReady), "problems": ready["problems"] ?? .null, "alerts": .array(alerts), "pools": .array(pools),
                        "exits": .array(exits),
                    ]).json)
            } else {
                let screen = Screen.output
                print(
                    screen.painted(isReady ? "ready" : "not ready", isReady ? .green : .red)
                        + (critical == 0 ? "" : critical == 1 ? ", 1 critical alert" : ", \(critical) critical alerts"))
                if case .object(let problems)? = ready["problems"] {
                    for (part, words) in problems.sorted(by: { $0.key < $1.key }) { print("  \(part): \(words.text ?? "")") }
                }
                for alert in alerts {
                    let severity = alert["severity"]?.text ?? ""
                    print(
                        "\(screen.painted(severity, Table.colour(of: severity))): \(alert["message"]?.text ?? ""); \(alert["remedy"]?.text ?? "")"
                    )
                }
                for pool in pools {
                    print(poolLine(pool, arguments))
                }
                print(table(exits))
            }
            return isReady && critical == 0 ? Status.success : Status.failure
        }
    }

    // MARK: - Parts of these

    /// `US  2 of 2 serve`, `DE  on demand, closed`.
    private static func poolLine(_ pool: Document, _ arguments: Arguments) -> String {
        let country = pool["country"]?.text ?? ""
        if pool["open"] == .bool(false) { return "\(country)  on demand, closed" }
        let serving = "\(country)  \(Int(pool["serving"]?.number ?? 0)) of \(Int(pool["size"]?.number ?? 0)) serve"
        guard pool["on_demand"] == .bool(true) else { return serving }
        return serving
            + (arguments.time(pool["closes_at"]).map { ", on demand, closes at \($0) unless it is used" } ?? ", on demand, in use")
    }

    private static let poolFieldNames = [
        "size", "provider", "city", "tags", "hostnames", "exclude", "strategy", "standby", "spread", "fallback", "rotate_every",
        "rotate_after_mb", "on_demand",
    ]

    private static let poolOptions = [
        Option(name: "size", value: "N", help: "exits in the pool, 1 to 10 (unchanged; 1 in a new pool)"),
        Option(name: "provider", value: "NAME", help: "only servers of this provider; any: no limit"),
        Option(name: "city", value: "CITY", help: "only servers of this city; any: no limit"),
        Option(name: "tags", value: "LIST", help: "only servers with all of these tags; any: no limit"),
        Option(name: "hostnames", value: "LIST", help: "only these servers; any: no limit"),
        Option(name: "exclude", value: "LIST", help: "not these servers; none: no limit"),
        Option(name: "strategy", value: "S", help: "load, latency, balanced or random (balanced)"),
        Option(name: "standby", value: "N", help: "verified exits that are not plugged in, 0 to 3 (0)"),
        Option(name: "spread", value: "S", help: "\(Spread.allCases.map(\.rawValue).joined(separator: ", ")) (least_connections)"),
        Option(name: "fallback", value: "LIST", help: "countries that are used instead, in this order; none: no fallback"),
        Option(name: "on-demand", value: "WHEN", help: "yes: its exits come with a request and go when nobody uses them; no (no)"),
        Option(name: "rotate-every", value: "SECONDS", help: "replace each exit after this time; never: no rotation"),
        Option(name: "rotate-after-mb", value: "N", help: "replace each exit after this traffic; never: no rotation"),
    ]

    /// The fields of a pool that the options name; null gives one its default.
    private static func poolFields(_ arguments: Arguments) throws -> [String: Document] {
        var fields: [String: Document] = [:]
        fields["size"] = try arguments.integer("size", in: 1...Pool.sizeLimit).map(Document.integer)
        fields["standby"] = try arguments.integer("standby", in: 0...Pool.standbyLimit).map(Document.integer)
        for name in ["provider", "city"] { fields[name] = arguments[name].map { $0 == "any" ? .null : .string($0) } }
        for name in ["strategy", "spread"] { fields[name] = arguments[name].map(Document.string) }
        for (name, nothing) in [("fallback", "none"), ("tags", "any"), ("hostnames", "any"), ("exclude", "none")] {
            fields[name] = arguments[name].map { text in
                .array(text == nothing ? [] : text.split(separator: ",").map { .string(String($0)) })
            }
        }
        if let text = arguments["on-demand"] {
            guard text == "yes" || text == "no" else { throw UsageError(message: "--on-demand is '\(text)', expected yes or no") }
            fields["on_demand"] = .bool(text == "yes")
        }
        for (name, range) in [("rotate-every", Pool.rotateEveryRange), ("rotate-after-mb", Pool.rotateAfterRange)] {
            let value = arguments[name] == "never" ? .null : try arguments.integer(name, in: range).map(Document.integer)
            fields[name.replacing("-", with: "_")] = value
        }
        return fields
    }

    /// Sets a country's pool, and returns how many exits are to serve.
    private static func setPool(of country: CountryCode, _ changes: [String: Document], _ api: ControllerClient) async throws -> Int {
        let path = "/api/pools/\(country.lowercased)"
        var present = Document.null
        do { present = try await api.get(path) } catch let error as APIError where error.status == 404 {}
        // A PUT sets the whole pool: what is not named here stays as it is.
        var body: [String: Document] = ["size": .integer(1)]
        for name in poolFieldNames { if let value = changes[name] ?? present[name] { body[name] = value } }
        try await api.call("PUT", path, body: .object(body), deadline: 60)
        // What is on demand comes with a request.
        return body["on_demand"] == .bool(true) ? 0 : Int(body["size"]?.number ?? 1)
    }

    /// The first country of which too few exits serve.
    private static func lacking(_ countries: [CountryCode], _ sizes: [CountryCode: Int], _ exits: [Document]) -> CountryCode? {
        countries.first { country in serving(exits.filter { $0["country"]?.text == country.rawValue }) < sizes[country] ?? 0 }
    }

    private static func tooSlow(_ country: CountryCode, after seconds: Int, _ api: ControllerClient) async throws -> APIError {
        let alerts = (try? await api.get("/api/alerts"))?["alerts"]?.items ?? []
        let alert = alerts.first { $0["id"]?.text == "pool:\(country.lowercased)" }
        let why = alert.map { ": \($0["message"]?.text ?? ""); \($0["remedy"]?.text ?? "")" } ?? ""
        return APIError(status: 0, code: "timeout", message: "not all exits of \(country.name) serve after \(seconds) s\(why)")
    }

    private static func members(of countries: [CountryCode], _ api: ControllerClient) async throws -> [Document] {
        let names = Set(countries.map(\.rawValue))
        let exits = try await api.get("/api/exits")["exits"]?.items ?? []
        return exits.filter { $0["leaving"] != .bool(true) && names.contains($0["country"]?.text ?? "") }
    }

    private static func serving(_ exits: [Document]) -> Int {
        exits.count { $0["state"]?.text == "serving" || $0["state"]?.text == "degraded" }
    }

    private static func stateWords(_ exit: Document) -> String {
        let reason = exit["reason"]?.text.map { " (\($0))" } ?? ""
        return "\(exit["id"]?.text ?? "") \(exit["state"]?.text ?? "")\(reason)"
    }

    /// "nordvpn/main"
    private static func account(of exit: Document) -> String {
        guard let provider = exit["provider"]?.text, let account = exit["account"]?.text else { return "-" }
        return "\(provider)/\(account)"
    }

    private static func table(_ exits: [Document]) -> String {
        func blocked(_ exit: Document) -> String {
            let names = (exit["health"]?["blocked_by"]?.items ?? []).compactMap(\.text)
            return names.isEmpty ? "" : "blocked by \(names.joined(separator: ", "))"
        }
        var rows: [[String]] = []
        for exit in exits {
            let server = exit["server"]
            let latency = server?["latency_ms"]?.number.map(Figures.milliseconds)
            rows.append([
                exit["id"]?.text ?? "", exit["state"]?.text ?? "", server?["hostname"]?.text ?? "-", account(of: exit),
                server?["load"]?.number.map { "\(Int($0)) %" } ?? "-", latency ?? "-", exit["exit_ip"]?.text ?? "-",
                exit["reason"]?.text ?? blocked(exit),
            ])
        }
        return Table(["EXIT", "STATE", "SERVER", "ACCOUNT", "LOAD", "LATENCY", "EXIT IP", "REASON"], rows, nothing: "no exits").text()
    }
}
