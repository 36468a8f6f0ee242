import Model

/// Commands that look at the catalog.
extension Command {
    static let servers = Command(
        name: "servers", usage: "[country]", summary: "List a country's servers, or all, least loaded first",
        options: ControllerClient.options + [
            Option(name: "top", value: "N", help: "only so many, 1 to 1000 (20)"),
            Option(name: "provider", value: "NAME", help: "only servers of this provider"),
        ],
        examples: ["sallyport servers us --top 5", "sallyport servers --json | jq -r '.servers[].identifier'"]
    ) { arguments in
        guard arguments.words.count <= 1 else { throw UsageError(message: "unexpected \(arguments.words[1])") }
        let top = try arguments.integer("top", in: 1...1000) ?? 20
        var path = "/api/\(arguments["provider"] ?? "all")/servers?limit=\(top)"
        if let text = arguments.words.first {
            guard let country = CountryCode(text) else {
                throw UsageError(message: "\(text) is no country, want an ISO 3166-1 alpha-2 code like us")
            }
            path += "&country=\(country.lowercased)"
        }
        return try await ControllerClient.with(arguments) { api in
            let answer = try await api.get(path)
            if arguments.has("json") {
                print(answer.json)
                return Status.success
            }
            var rows = [["SERVER", "COUNTRY", "CITY", "LOAD", "LATENCY", "ADDRESS"]]
            for server in answer["servers"]?.items ?? [] {
                rows.append([
                    server["identifier"]?.text ?? "", server["country_code"]?.text ?? "", server["city"]?.text ?? "-",
                    server["load"]?.number.map { "\(Int($0)) %" } ?? "-", server["latency"]?.number.map(Figures.milliseconds) ?? "-",
                    server["address"]?.text ?? "",
                ])
            }
            print(Text.columns(rows), terminator: "")
            print("\(rows.count - 1) of \(Int(answer["total"]?.number ?? 0))")
            return Status.success
        }
    }

    static let countries = Command(
        name: "countries", usage: "", summary: "List the countries, their servers and exits", options: ControllerClient.options,
        examples: ["sallyport countries"]
    ) { arguments in
        _ = try arguments.expect()
        return try await ControllerClient.with(arguments) { api in
            let answer = try await api.get("/api/countries")
            let rows = (answer["countries"]?.items ?? []).map { country in
                ["code", "name", "servers", "exits", "serving"].map { name in
                    country[name]?.text ?? country[name]?.number.map { String(Int($0)) } ?? ""
                }
            }
            print(
                arguments.has("json")
                    ? answer.json : String(Text.columns([["CODE", "COUNTRY", "SERVERS", "EXITS", "SERVING"]] + rows).dropLast()))
            return Status.success
        }
    }
}
