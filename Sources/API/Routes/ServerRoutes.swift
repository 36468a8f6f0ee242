import HTTPServing
import Model
import OpenAPI
import Platform
import RequestPipeline

/// `/api/{provider}/servers`: the catalog. `all` stands for every provider.
struct ServerRoutes: RouteGroup {
    let operations: any Operations
    let responses: ResponseCache

    var routes: [APIRoute] {
        let limit = Parameter("limit", .whole(1...20_000, 100), "how many")
        let offset = Parameter("offset", .whole(0...1_000_000, 0), "how many to skip")
        let city = Parameter("city", .plain("New York", length: 1...100), "only of this city, compared without case and accents")
        // All of them at their longest fit into a request's head.
        let filters = [
            city, Parameter("tags", .printable("p2p", length: 1...200), "only with all of these tags, separated by commas"),
            Parameter("hostnames", .printable("us9001.lab.test", length: 1...2_000), "only these, separated by commas"),
            Parameter("exclude", .printable("us9002.lab.test", length: 1...2_000), "without these, separated by commas"),
            Parameter("max_load", .whole(0...100, 50), "only with this load, in percent, or less"),
        ]
        let order = [
            Parameter("sort", .choice(ServerOrder.self), "the sort key; servers without a figure come last"),
            Parameter("explain", .flag, "sort by score, and show the parts of each score"),
            Parameter("strategy", .choice(Strategy.self), "the strategy of the score (balanced); implies `explain`"),
        ]
        let method = Parameter("method", .choice(LatencyMethod.self), "how to measure; `auto` sends echoes, then tries TCP connections")
        let page = Answer.json(
            200, "a page of servers, least loaded first; Link names the next", .servers, headers: ["Link", "ETag"])
        let measured = Answer.json(200, "servers with their figures, nearest first", .measuredServers)
        return [
            Route(
                "GET", "/api/providers", .viewer, "The providers and their lists", "The age of each list, and its unused rows by reason.",
                answers: [.json(200, "the providers", .providers)], .ready(listProviders)),
            Route(
                "GET", "/api/{provider}/servers", .viewer, "Servers of a provider, or of all",
                query: [limit, offset, .country] + filters + order, answers: [page], .waiting(listServers)),
            Route(
                "GET", "/api/{provider}/servers/top", .viewer, "The least loaded servers", query: [limit, .country] + filters,
                answers: [page], .waiting(listTopServers)),
            Route(
                "GET", "/api/{provider}/servers/latency", .viewer, "Measures servers now",
                "The least loaded ones if there are more than `limit`. `wireguard` leaves out those that an exit uses.",
                query: [Parameter("limit", .whole(1...1000, 100), "how many"), .country, method] + filters, answers: [measured],
                .waiting(measureServers)),
            Route(
                "GET", "/api/{provider}/servers/fastest", .viewer, "The nearest servers",
                "One server of each city is measured, then those of the nearest cities.",
                query: [Parameter("limit", .whole(1...100, 1), "how many"), .country, method] + filters, answers: [measured],
                .waiting(findFastest)),
            Route(
                "GET", "/api/{provider}/servers/{cc}", .viewer, "Servers of a country", query: [limit, offset] + filters + order,
                answers: [page], .waiting(listServersOfCountry)),
            Route(
                "GET", "/api/{provider}/countries", .viewer, "Countries of a provider with their servers",
                answers: [.json(200, "the countries", .providerCountries)], .waiting(listCountriesOfProvider)),
        ]
    }

    func listProviders(_ request: ServerRequest) throws -> ServerResponse {
        let listings = operations.listings
        return try responses.response(to: request, at: "\(listings)") { .json(["providers": listings]) }
    }

    func listServers(_ request: ServerRequest) async throws -> ServerResponse {
        try await page(of: request, country: try request.country("country"))
    }

    func listServersOfCountry(_ request: ServerRequest) async throws -> ServerResponse {
        guard let text = request.parameters["cc"], let country = CountryCode(text) else { throw APIProblem.notFound("such country") }
        return try await page(of: request, country: country)
    }

    func listTopServers(_ request: ServerRequest) async throws -> ServerResponse {
        try await page(of: request, country: try request.country("country"), standardLimit: 10)
    }

    func listCountriesOfProvider(_ request: ServerRequest) async throws -> ServerResponse {
        let provider = try provider(of: request)
        let catalog = try await operations.catalog(of: provider)
        return try responses.response(to: request, at: "\(catalog.revision)") {
            let byCountry = Dictionary(grouping: catalog.servers.filter { provider == nil || $0.provider == provider }, by: \.country)
            return .json([
                "countries": byCountry.sorted { $0.key < $1.key }.map { $0.fields(servers: $1) }
            ])
        }
    }

    func measureServers(_ request: ServerRequest) async throws -> ServerResponse {
        let (filter, method) = try measurement(request)
        return measured(try await operations.measured(filter, method: method, limit: request.whole("limit") ?? 100), method)
    }

    func findFastest(_ request: ServerRequest) async throws -> ServerResponse {
        let (filter, method) = try measurement(request)
        return measured(try await operations.fastest(filter, method: method, limit: request.whole("limit") ?? 1), method)
    }

    // MARK: - Parts of these

    private func measurement(_ request: ServerRequest) throws -> (ServerFilter, LatencyMethod) {
        (
            try serverFilter(of: request, country: try request.country("country")),
            request.query("method").flatMap(LatencyMethod.init) ?? .auto
        )
    }

    private func measured(_ entries: [(server: Server, figures: LatencyFigures)], _ method: LatencyMethod) -> ServerResponse {
        var json = JSONWriter()
        json.object { json in
            json.field("method", method.rawValue)
            json.list("servers", entries) { json, entry in
                json.server(entry.server, figures: entry.figures)
            }
        }
        return .json(bytes: json.bytes)
    }

    private func provider(of request: ServerRequest) throws -> ProviderName? {
        let name = request.parameters["provider"] ?? ""
        guard name == "all" || operations.providers.contains(where: { $0.rawValue == name }) else {
            throw APIProblem.notFound("provider of that name")
        }
        return name == "all" ? nil : ProviderName(rawValue: name)
    }

    private func serverFilter(of request: ServerRequest, country: CountryCode?) throws -> ServerFilter {
        func words(_ name: String) -> Set<String> {
            Set((request.query(name) ?? "").split(separator: ",").map { String($0.drop { $0 == " " }) })
        }
        return ServerFilter(
            provider: try provider(of: request), country: country, city: request.query("city"), tags: words("tags"),
            hostnames: words("hostnames"), excludedHostnames: words("exclude"), maximalLoad: request.whole("max_load"))
    }

    /// The parts of the list link to each other (RFC 8288).
    private func page(of request: ServerRequest, country: CountryCode?, standardLimit: Int = 100) async throws -> ServerResponse {
        let filter = try serverFilter(of: request, country: country)
        let catalog = try await operations.catalog(of: filter.provider)
        if let country,
            !catalog.servers.contains(where: { $0.country == country && (filter.provider == nil || $0.provider == filter.provider) })
        {
            throw Self.missing(country, catalog.listings.filter { filter.provider == nil || $0.name == filter.provider })
        }
        if request.query("explain") == "true" || request.query("strategy") != nil {
            return try await explanation(of: request, filter, catalog.revision, standardLimit)
        }
        return try responses.response(to: request, at: "\(catalog.revision)") {
            let order = request.query("sort").flatMap(ServerOrder.init) ?? .load
            let servers = order.sorted(catalog.servers.filter(filter.contains))
            let (range, links) = Self.part(of: request, total: servers.count, standardLimit)
            var json = JSONWriter()
            json.object { json in
                json.field("limit", range.limit)
                json.field("offset", range.offset)
                json.list("servers", servers.dropFirst(range.offset).prefix(range.limit)) { $0.server($1) }
                json.field("total", servers.count)
            }
            return .json(bytes: json.bytes, headers: links)
        }
    }

    /// Who has given no list may have servers there.
    private static func missing(_ country: CountryCode, _ listings: [ProviderListing]) -> APIProblem {
        let silent = listings.filter { $0.fetchedAt == nil }
        guard !silent.isEmpty else { return .notFound("server in \(country.name)") }
        let words = silent.map { "\($0.name) has given no list (\($0.problem ?? "it has not answered yet"))" }.joined(separator: ", ")
        return APIProblem.unavailable("no server in \(country.name) is known, but \(words)", code: "catalog_unavailable")
    }

    private func explanation(
        of request: ServerRequest, _ filter: ServerFilter, _ revision: Int, _ standardLimit: Int
    ) async throws -> ServerResponse {
        let strategy = request.query("strategy").flatMap(Strategy.init) ?? .balanced
        let moment = "\(revision)/\(surroundings)"
        // By chance is anew for each.
        if strategy != .random, let cached = responses.cached(for: request, at: moment) { return cached }
        let ranked = try await operations.explained(filter, strategy: strategy)
        let (range, links) = Self.part(of: request, total: ranked.count, standardLimit)
        var json = JSONWriter()
        json.object { json in
            json.field("limit", range.limit)
            json.field("offset", range.offset)
            json.list("servers", ranked.dropFirst(range.offset).prefix(range.limit)) { json, entry in
                json.server(entry.server, score: entry.score, parts: entry.parts)
            }
            json.field("total", ranked.count)
        }
        let answer = ServerResponse.json(bytes: json.bytes, headers: links)
        return strategy == .random ? answer : responses.store(answer, for: request, at: moment)
    }

    /// What scores depend on beside the catalog: the servers that exits hold, and the breakers that are not closed.
    private var surroundings: String {
        let state = operations.state
        let held = state.exits.values.filter { $0.state != .stopped }.compactMap(\.server).map { "\($0.provider)/\($0.hostname)" }
        let breakers = state.breakers.filter { $0.state != "closed" }.map { "\($0.name)=\($0.state)" }
        return (held.sorted() + breakers).joined(separator: " ")
    }

    private static func part(
        of request: ServerRequest, total: Int, _ standardLimit: Int
    ) -> ((limit: Int, offset: Int), [(name: String, value: String)]) {
        let limit = request.whole("limit") ?? standardLimit
        let offset = request.whole("offset") ?? 0
        var links: [String] = []
        func link(_ offset: Int, _ relation: String) {
            let others = request.query.filter { $0.name != "offset" && $0.name != "limit" }
            let query = (others + [("limit", String(limit)), ("offset", String(offset))]).map {
                "\($0.name)=\(PercentEncoding.encode($0.value))"
            }
            let path = request.path.map(PercentEncoding.encode).joined(separator: "/")
            links.append("</\(path)?\(query.joined(separator: "&"))>; rel=\"\(relation)\"")
        }
        if offset + limit < total { link(offset + limit, "next") }
        if offset > 0 { link(max(0, offset - limit), "prev") }
        return ((limit, offset), links.isEmpty ? [] : [("Link", links.joined(separator: ", "))])
    }
}

/// By what a list of servers is sorted.
enum ServerOrder: String, CaseIterable {
    case load, latency, city, hostname

    /// - Parameter servers: least loaded first.
    func sorted(_ servers: [Server]) -> [Server] {
        switch self {
        case .load: servers
        case .latency:
            servers.sorted { ($0.latencyMilliseconds ?? .infinity, $0.hostname) < ($1.latencyMilliseconds ?? .infinity, $1.hostname) }
        case .city: servers.sorted { ($0.city ?? "~", $0.hostname) < ($1.city ?? "~", $1.hostname) }
        case .hostname: servers.sorted { $0.hostname < $1.hostname }
        }
    }
}
