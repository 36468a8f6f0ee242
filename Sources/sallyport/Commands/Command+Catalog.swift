import Model
import Platform

/// Commands that look at the catalog.
extension Command {
    static let servers = Command(
        name: "servers", usage: "[country]", choices: CountryWords.codes, summary: "List a country's servers, or all, least loaded first",
        options: ControllerClient.options + [
            Option(name: "top", value: "N", help: "how many to show, 1 to 20000 (20)", field: "limit"),
            Option(name: "provider", value: "NAME", help: "only servers of this provider"),
            Option(name: "city", value: "CITY", help: "only servers of this city"),
            Option(name: "tags", value: "TAGS", help: "only servers with all of these tags, divided by commas"),
            Option(name: "exclude", value: "NAMES", help: "without these servers, divided by commas"),
            Option(name: "max-load", value: "N", help: "only with this load, in percent, or less"),
            Option(name: "sort", value: "BY", help: "load, latency, city or hostname (load)"),
            Option(name: "explain", help: "order by score, and say what each score is made of"),
        ],
        examples: ["sallyport servers us --top 5", "sallyport servers --json | jq -r '.servers[].hostname'"]
    ) { arguments in
        guard arguments.words.count <= 1 else { throw UsageError(message: "unexpected \(arguments.words[1])") }
        let top = try arguments.integer("top", in: 1...20_000) ?? 20
        var path = "/api/\(arguments["provider"] ?? "all")/servers?limit=\(top)" + (try filters(arguments))
        if let order = arguments["sort"] { path += "&sort=\(PercentEncoding.encode(order))" }
        if arguments.has("explain") { path += "&explain=true" }
        return try await ControllerClient.with(arguments) { api in
            let answer = try await api.get(path)
            if arguments.has("json") {
                print(answer.json)
                return Status.success
            }
            let isExplained = arguments.has("explain")
            let heads = ["SERVER", "COUNTRY", "CITY", "LOAD", "LATENCY", isExplained ? "SCORE" : "ADDRESS"]
            var rows: [[String]] = []
            for server in answer["servers"]?.items ?? [] {
                let parts = (server["score_parts"]?.items ?? []).map { part in
                    "\(part["name"]?.text ?? "") \(Figures.decimal(part["points"]?.number ?? 0, digits: 1)) (\(part["reason"]?.text ?? ""))"
                }
                let score = Figures.decimal(server["score"]?.number ?? 0, digits: 1) + " = " + parts.joined(separator: " + ")
                rows.append([
                    server["hostname"]?.text ?? "", server["country_code"]?.text ?? "", server["city"]?.text ?? "-",
                    server["load"]?.number.map { "\(Int($0)) %" } ?? "-", server["latency_ms"]?.number.map(Figures.milliseconds) ?? "-",
                    isExplained ? score : server["address"]?.text ?? "",
                ])
            }
            print(Table(heads, rows, nothing: "no servers").text())
            print("\(rows.count) of \(Int(answer["total"]?.number ?? 0))")
            return Status.success
        }
    }

    static let latency = Command(
        name: "latency", usage: "[country]", choices: CountryWords.codes, summary: "Measure servers now, nearest first",
        options: ControllerClient.options + [
            Option(name: "method", value: "M", help: "auto, fping, tcp or wireguard (auto)"),
            Option(name: "limit", value: "N", help: "servers to measure, the least loaded first, 1 to 5000 (100)"),
            Option(name: "top", value: "N", help: "how many to show, 1 to 5000 (20)"),
            Option(name: "provider", value: "NAME", help: "only servers of this provider"),
            Option(name: "city", value: "CITY", help: "only servers of this city"),
            Option(name: "tags", value: "TAGS", help: "only servers with all of these tags, divided by commas"),
            Option(name: "hostnames", value: "NAMES", help: "only these servers, divided by commas"),
            Option(name: "exclude", value: "NAMES", help: "without these servers, divided by commas"),
        ],
        examples: ["sallyport latency us --method wireguard", "sallyport latency --limit 500 --json | jq '.servers[0]'"]
    ) { arguments in
        guard arguments.words.count <= 1 else { throw UsageError(message: "unexpected \(arguments.words[1])") }
        let method = arguments["method"] ?? LatencyMethod.auto.rawValue
        guard LatencyMethod(rawValue: method) != nil else {
            throw UsageError(
                message: "--method is \(method), expected one of \(LatencyMethod.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        let limit = try arguments.integer("limit", in: 1...5000) ?? 100
        let top = try arguments.integer("top", in: 1...5000) ?? 20
        let base = "/api/\(arguments["provider"] ?? "all")/servers"
        let filters = try filters(arguments)
        return try await ControllerClient.with(arguments) { api in
            let names = (try await api.get("\(base)?limit=\(limit)\(filters)")["servers"]?.items ?? []).compactMap {
                $0["hostname"]?.text
            }
            var measured: [Document] = []
            var progress = Progress()
            // In parts, so that there is something to see, and no call takes long.
            for start in stride(from: 0, to: names.count, by: 50) {
                progress.show("measuring \(Text.bar(start, of: names.count)) \(start) of \(names.count)")
                let part = names[start..<min(start + 50, names.count)].joined(separator: ",")
                measured +=
                    try await api.get("\(base)/latency?method=\(method)&limit=50&hostnames=\(PercentEncoding.encode(part))")["servers"]?
                    .items ?? []
            }
            progress.end()
            measured.sort {
                ($0["latency_ms"]?.number ?? .infinity, $0["hostname"]?.text ?? "") < (
                    $1["latency_ms"]?.number ?? .infinity, $1["hostname"]?.text ?? ""
                )
            }
            if arguments.has("json") {
                print(Document.object(["method": .string(method), "servers": .array(measured)]).json)
                return Status.success
            }
            let rows = measured.prefix(top).map { server in
                [
                    server["hostname"]?.text ?? "", server["country_code"]?.text ?? "", server["city"]?.text ?? "-",
                    server["load"]?.number.map { "\(Int($0)) %" } ?? "-",
                    server["latency_ms"]?.number.map(Figures.milliseconds) ?? "no answer",
                    server["jitter_ms"]?.number.map(Figures.milliseconds) ?? "-", "\(Int(server["loss"]?.number ?? 0)) %",
                ]
            }
            print(Table(["SERVER", "COUNTRY", "CITY", "LOAD", "LATENCY", "JITTER", "LOSS"], rows, nothing: "no servers").text())
            let answered = measured.count { $0["latency_ms"] != nil }
            print("\(answered) of \(measured.count) servers answered (\(method))")
            return Status.success
        }
    }

    /// What narrows a list, as the end of a query.
    private static func filters(_ arguments: Arguments) throws -> String {
        var query = ""
        if let text = arguments.words.first {
            query += "&country=\(try CountryWords.country(text).lowercased)"
        }
        for name in ["city", "tags", "hostnames", "exclude"] {
            if let value = arguments[name] { query += "&\(name)=\(PercentEncoding.encode(value))" }
        }
        if let load = try arguments.integer("max-load", in: 0...100) { query += "&max_load=\(load)" }
        return query
    }

    static let countries = Command(
        name: "countries", summary: "List the countries, their servers and exits", options: ControllerClient.options,
        examples: ["sallyport countries"]
    ) { arguments in
        _ = try arguments.expect()
        return try await ControllerClient.with(arguments) { api in
            let answer = try await api.get("/api/countries")
            let rows = (answer["countries"]?.items ?? []).map { country in
                ["country", "country_name", "servers", "best_load", "exits", "serving"].map { name in
                    let unit = name == "best_load" ? " %" : ""
                    return country[name]?.text ?? country[name]?.number.map { "\(Int($0))\(unit)" } ?? "-"
                }
            }
            print(
                arguments.has("json")
                    ? answer.json
                    : Table(["CODE", "COUNTRY", "SERVERS", "BEST LOAD", "EXITS", "SERVING"], rows, nothing: "no countries").text())
            return Status.success
        }
    }
}
