import Model

extension Configuration {
    static func readVerification(_ reader: FieldReader, deepSeconds: Double) -> Verification {
        let own = urls(reader, "own_urls") ?? []
        let urls = urls(reader, "urls") ?? ["https://ipinfo.io/json", "https://www.cloudflare.com/cdn-cgi/trace"]
        if urls.isEmpty, own.isEmpty {
            reader.problem("urls", "is empty, expected one or more URLs that answer with the caller's address, here or in own_urls")
        }
        let name = reader.string("check_name") ?? "www.cloudflare.com"
        if !name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "-") }) {
            reader.problem("check_name", "is not a host name")
        }
        var services = AddressServices.Settings(own: own, urls: urls, probeSeconds: deepSeconds)
        services.perDay = perDay(reader, "requests_per_day") ?? 1000
        services.perDayOf = budgets(reader.section("budgets"), of: urls)
        return Verification(
            services: services, checkName: name, country: reader.choice("country", CountryPolicy.self) ?? .strict, echo: echo(reader),
            canaries: readCanaries(reader))
    }

    private static func urls(_ reader: FieldReader, _ field: String) -> [String]? {
        let urls = reader.strings(field)
        for url in urls ?? [] where !url.hasPrefix("https://") && !url.hasPrefix("http://") {
            reader.problem(field, "\(url) is not an http or https URL")
        }
        return urls
    }

    /// Fewer than one an hour could not be spread over the day.
    private static func perDay(_ reader: FieldReader, _ field: String) -> Int? {
        let count = reader.integer(field, in: 0...10_000_000)
        if let count, (1..<24).contains(count) { reader.problem(field, "is \(count), expected 24 to 10000000, or 0 for no limit") }
        return count
    }

    /// Requests a day by host: `{ipinfo.io: 1500}`.
    private static func budgets(_ reader: FieldReader, of urls: [String]) -> [String: Int] {
        let hosts = Set(urls.map(AddressServices.host))
        return reader.keys.reduce(into: [:]) { budgets, host in
            budgets[host.lowercased()] = perDay(reader, host)
            if !hosts.contains(host.lowercased()) {
                reader.problem(host, "is no host of verification.urls, expected one of \(hosts.sorted().joined(separator: ", "))")
            }
        }
    }

    private static func echo(_ reader: FieldReader) -> Endpoint? {
        let port = reader.integer("echo_port", in: 0...65_535) ?? 0
        let address = ipv4(reader, "echo_address", default: "0.0.0.0")
        return port == 0 ? nil : Endpoint(address: address, port: port)
    }
}
