import Model
import Platform

/// Commands that list one thing each: pools, alerts, breakers, cities.
extension Command {
    static let pools = Command(
        name: "pools", summary: "List the pools, and what each is limited to", options: ControllerClient.options,
        examples: ["sallyport pools", "sallyport pools --json | jq '.pools[] | select(.serving < .size)'"]
    ) { arguments in
        try await list(arguments, "/api/pools", "pools", ["POOL", "SERVING", "SIZE", "STANDBY", "STRATEGY", "LIMITS"], nothing: "no pools")
        { pool in
            let closed = pool["open"] == .bool(false)
            let limits = ["provider", "city"].compactMap { pool[$0]?.text } + (pool["tags"]?.items ?? []).compactMap(\.text)
            return [
                pool["country"]?.text ?? "", count(pool["serving"]), count(pool["size"]), count(pool["standby"]),
                pool["strategy"]?.text ?? "-", ((closed ? ["closed"] : []) + limits).joined(separator: ", "),
            ]
        }
    }

    static let alerts = Command(
        name: "alerts", summary: "List what needs somebody, with its remedy; the exit status is 1 while something critical is open",
        options: ControllerClient.options, examples: ["sallyport alerts", "sallyport alerts --json | jq -r '.alerts[].remedy'"]
    ) { arguments in
        _ = try arguments.expect()
        return try await ControllerClient.with(arguments) { api in
            let answer = try await api.get("/api/alerts")
            let alerts = answer["alerts"]?.items ?? []
            let lines = alerts.map { alert in
                let since = arguments.time(alert["since"]).map { " (since \($0))" } ?? ""
                let severity = alert["severity"]?.text ?? ""
                return
                    "\(Screen.output.painted(severity, Table.colour(of: severity))): \(alert["message"]?.text ?? "")\(since)\n  \(alert["remedy"]?.text ?? "")"
            }
            print(arguments.has("json") ? answer.json : lines.isEmpty ? "no alerts" : lines.joined(separator: "\n"))
            return alerts.contains { $0["severity"]?.text == "critical" } ? Status.failure : Status.success
        }
    }

    static let breakers = Command(
        name: "breakers", summary: "List servers and keys that failed, and until when they are not used", options: ControllerClient.options,
        examples: ["sallyport breakers"]
    ) { arguments in
        try await list(arguments, "/api/breakers", "breakers", ["WHAT", "STATE", "OPENINGS", "UNTIL", "REASON"], nothing: "no breakers") {
            breaker in
            [
                breaker["name"]?.text ?? "", breaker["state"]?.text ?? "", count(breaker["openings"]),
                arguments.time(breaker["open_until"]) ?? "-",
                breaker["reason"]?.text ?? "",
            ]
        }
    }

    static let cities = Command(
        name: "cities", usage: "<country>", choices: CountryWords.codes, summary: "List the cities of a country that have servers",
        options: ControllerClient.options + [Option(name: "provider", value: "NAME", help: "only servers of this provider")],
        examples: ["sallyport cities us", "sallyport cities germany --provider mullvad --json"]
    ) { arguments in
        let country = try CountryWords.country(try arguments.expect("<country>")[0])
        let provider = PercentEncoding.encode(arguments["provider"] ?? "all")
        return try await ControllerClient.with(arguments) { api in
            let servers = try await api.get("/api/\(provider)/servers?limit=20000&country=\(country.lowercased)")["servers"]?.items ?? []
            let byCity = Dictionary(grouping: servers) { $0["city"]?.text ?? "" }.sorted { $0.key < $1.key }
            let cities = byCity.map { city, servers in
                (city: city, servers: servers.count, load: servers.compactMap { $0["load"]?.number.map { Int($0) } }.min())
            }
            let fields = cities.map { city in
                Document.object([
                    "city": city.city.isEmpty ? .null : .string(city.city), "servers": .integer(city.servers),
                    "best_load": city.load.map(Document.integer) ?? .null,
                ])
            }
            let rows = cities.map { [$0.city.isEmpty ? "-" : $0.city, String($0.servers), $0.load.map { "\($0) %" } ?? "-"] }
            let table =
                Table(["CITY", "SERVERS", "BEST LOAD"], rows, nothing: "no servers in \(country.name)").text()
            print(
                arguments.has("json") ? Document.object(["country": .string(country.rawValue), "cities": .array(fields)]).json : table)
            return Status.success
        }
    }

    private static func count(_ value: Document?) -> String { value?.number.map { String(Int($0)) } ?? "-" }

    /// Prints the items of an answer, one in a row.
    private static func list(
        _ arguments: Arguments, _ path: String, _ field: String, _ heads: [String], nothing: String, row: @escaping (Document) -> [String]
    ) async throws -> Int32 {
        _ = try arguments.expect()
        return try await ControllerClient.with(arguments) { api in
            let answer = try await api.get(path)
            let rows = (answer[field]?.items ?? []).map(row)
            print(arguments.has("json") ? answer.json : Table(heads, rows, nothing: nothing).text())
            return Status.success
        }
    }
}
