import HTTPServing
import Model
import Platform

/// `/api/{provider}/servers`: the catalog. `all` stands for every provider.
extension API {
    var catalogRoutes: [APIRoute] {
        let limit = Parameter("limit", .whole(1...1000, 100), "how many")
        let offset = Parameter("offset", .whole(0...1_000_000, 0), "how many to leave out first")
        let city = Parameter("city", .text("New York", length: 1...100), "only of this city, compared without case")
        let page = Answer.json(200, "a page of servers, least loaded first; Link names the next", .named("Servers"))
        return [
            Route(
                "GET", "/api/{provider}/servers",
                Contract(.role(.viewer), "Servers of a provider, or of all", query: [limit, offset, .country, city], answers: [page]),
                .waiting(listServers)),
            Route(
                "GET", "/api/{provider}/servers/top",
                Contract(.role(.viewer), "The least loaded servers", query: [limit, .country, city], answers: [page]),
                .waiting(listTopServers)),
            Route(
                "GET", "/api/{provider}/servers/{cc}",
                Contract(.role(.viewer), "Servers of a country", query: [limit, offset, city], answers: [page]),
                .waiting(listServersOfCountry)),
            Route(
                "GET", "/api/{provider}/countries",
                Contract(
                    .role(.viewer), "Countries of a provider with their servers",
                    answers: [.json(200, "the countries", .named("ProviderCountries"))]),
                .waiting(listCountriesOfProvider)),
        ]
    }

    /// A server as the catalog shows it.
    private struct ServerView: Encodable {
        let provider: ProviderName
        let country: String
        let countryCode: String
        let city: String?
        let identifier: String
        let address: String
        let publicKey: String
        let load: Int
        /// Milliseconds; absent where it was not measured.
        let latency: Double?

        init(_ server: Server) {
            provider = server.provider
            country = server.country.name
            countryCode = server.country.rawValue
            city = server.city
            identifier = server.hostname
            address = server.address
            publicKey = server.publicKey
            load = server.load
            latency = server.latencyMilliseconds
        }
    }

    private struct ServerPage: Encodable {
        let servers: [ServerView]
        let total: Int
        let limit: Int
        let offset: Int
    }

    func listServers(_ request: ServerRequest) async throws -> ServerResponse {
        return try await page(of: request, country: try request.country("country"))
    }

    func listServersOfCountry(_ request: ServerRequest) async throws -> ServerResponse {
        guard let text = request.parameters["cc"], let country = CountryCode(text) else { throw APIProblem.notFound("such country") }
        return try await page(of: request, country: country)
    }

    func listTopServers(_ request: ServerRequest) async throws -> ServerResponse {
        return try await page(of: request, country: try request.country("country"), standardLimit: 10)
    }

    func listCountriesOfProvider(_ request: ServerRequest) async throws -> ServerResponse {
        struct Entry: Encodable {
            let code: String
            let name: String
            let servers: Int
            let bestLoad: Int
        }
        let byCountry = Dictionary(grouping: try await servers(request), by: \.country)
        let entries = byCountry.sorted { $0.key < $1.key }.map { country, servers in
            Entry(code: country.rawValue, name: country.name, servers: servers.count, bestLoad: servers.map(\.load).min() ?? 0)
        }
        return .json(["countries": entries])
    }

    // MARK: - Parts of these

    /// Least loaded first; the parts of the list link to each other (RFC 8288).
    private func page(of request: ServerRequest, country: CountryCode?, standardLimit: Int = 100) async throws -> ServerResponse {
        let limit = Int(request.number("limit") ?? Double(standardLimit))
        let offset = Int(request.number("offset") ?? 0)
        var servers = try await servers(request)
        if let country { servers.removeAll { $0.country != country } }
        if let city = request.query("city")?.lowercased() { servers.removeAll { $0.city?.lowercased() != city } }
        let shown = servers.dropFirst(offset).prefix(limit).map(ServerView.init)
        var links: [String] = []
        func link(_ offset: Int, _ relation: String) {
            let others = request.query.filter { $0.name != "offset" && $0.name != "limit" }
            let query = (others + [("limit", String(limit)), ("offset", String(offset))]).map {
                "\($0.name)=\(PercentEncoding.encode($0.value))"
            }
            links.append(
                "</\(request.path.map(PercentEncoding.encode).joined(separator: "/"))?\(query.joined(separator: "&"))>; rel=\"\(relation)\""
            )
        }
        if offset + limit < servers.count { link(offset + limit, "next") }
        if offset > 0 { link(max(0, offset - limit), "prev") }
        let page = ServerPage(servers: shown, total: servers.count, limit: limit, offset: offset)
        return .json(page, headers: links.isEmpty ? [] : [("Link", links.joined(separator: ", "))])
    }

    private func servers(_ request: ServerRequest) async throws -> [Server] {
        let name = request.parameters["provider"] ?? ""
        guard name == "all" || operations.providers.contains(where: { $0.rawValue == name }) else {
            throw APIProblem.notFound("provider of that name")
        }
        return try await operations.servers(of: name == "all" ? nil : ProviderName(rawValue: name))
    }
}
