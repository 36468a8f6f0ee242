import HTTPServing
import Model
import OpenAPI
import RequestPipeline

/// `/api/pools`, `/api/countries`
struct PoolRoutes: RouteGroup {
    let operations: any Operations
    let responses: ResponseCache

    /// What the example of a pool has otherwise that was set with its size alone, and what that of a new one has.
    private static let plain: [String: Document?] = [
        "provider": nil, "city": nil, "tags": nil, "strategy": .string("balanced"), "rotate_every": nil, "rotate_after_mb": nil,
        "fallback": .array([]),
    ]
    private static let new = plain.merging(["serving": .integer(0)]) { $1 }

    var routes: [APIRoute] {
        [
            Route("GET", "/api/pools", .viewer, "All pools", answers: [.json(200, "the pools", .pools)], .ready(listPools)),
            Route("GET", "/api/pools/{cc}", .viewer, "One pool", answers: [.json(200, "the pool", .pool)], .ready(showPool)),
            Route(
                "PUT", "/api/pools/{cc}", .operator, "Makes or changes a pool",
                "Sets the whole pool: a field that is left out gets its default.",
                body: Body(
                    .object(
                        [
                            .always("size", .whole(1...Pool.sizeLimit, 2), "wanted exits"),
                            .maybe("provider", .plain("nordvpn", length: 1...64), "a configured one"),
                            .maybe("city", .plain("New York", length: 1...100), "only servers of this city"),
                            .maybe("strategy", .choice(Strategy.self), "how servers are ranked"),
                            .maybe("standby", .whole(0...Pool.standbyLimit, 1), "verified exits that are not plugged in"),
                            .maybe("rotate_every", .whole(Pool.rotateEveryRange, 86_400), "seconds until an exit is replaced"),
                            .maybe("rotate_after_mb", .whole(Pool.rotateAfterRange, 50_000), "megabytes until an exit is replaced"),
                            .maybe("spread", .choice(Spread.self), "how connections without a session are distributed over the exits"),
                            .maybe(
                                "fallback", .list(.country, limit: 10),
                                "countries that are used instead, in this order, while no exit serves"),
                            .maybe("on_demand", .flag, "whether its exits come with a request and go when nobody uses them"),
                        ] + Schema.serverLimitFields), example: .object(["size": .integer(2)])),
                answers: [
                    .json(200, "the changed pool", .pool, showing: Self.plain), .json(201, "the new pool", .pool, showing: Self.new),
                ], problems: [409], .waiting(setPool)),
            Route(
                "DELETE", "/api/pools/{cc}", .operator, "Ends a pool", "Its exits drain and are removed.",
                answers: [.empty("the pool is removed")],
                .waiting(deletePool)),
            Route(
                "GET", "/api/countries", .viewer, "Countries with servers", answers: [.json(200, "the countries", .countries)],
                .waiting(listCountries)),
        ]
    }

    func listPools(_ request: ServerRequest) throws -> ServerResponse {
        let state = operations.state
        return .json(["pools": state.pools.values.sorted { $0.country < $1.country }.map { PoolInState.view(PoolInState($0, state)) }])
    }

    func showPool(_ request: ServerRequest) throws -> ServerResponse {
        let country = try knownCountry(request)
        let state = operations.state
        guard let pool = state.pools[country] else { throw APIProblem.notFound("pool of \(country)") }
        return .json(PoolInState.view(PoolInState(pool, state)))
    }

    func setPool(_ request: ServerRequest) async throws -> ServerResponse {
        let country = try knownCountry(request)
        let isNew = operations.state.pools[country] == nil
        let pool: Pool = try request.body { reader in
            let provider = reader.string("provider", limit: 64).map(ProviderName.init(rawValue:))
            let city = reader.string("city", atLeast: 1, limit: 100)
            let limits = reader.serverLimits()
            let strategy = reader.choice("strategy", Strategy.self) ?? .balanced
            let spread = reader.choice("spread", Spread.self)
            let fallback = reader.countries("fallback", limit: 10)
            if fallback?.contains(country) ?? false { reader.problem("fallback", "names \(country) itself, expected other countries") }
            let standby = reader.integer("standby", in: 0...Pool.standbyLimit) ?? 0
            let isOnDemand = reader.bool("on_demand") ?? false
            let rotateEvery = reader.integer("rotate_every", in: Pool.rotateEveryRange)
            let rotateAfter = reader.integer("rotate_after_mb", in: Pool.rotateAfterRange)
            // A field that was not read when it ends is taken for one that is unknown.
            guard let size = reader.required("size", reader.integer("size", in: 1...Pool.sizeLimit), want: "1 to \(Pool.sizeLimit)") else {
                return nil
            }
            return Pool(
                country: country, size: size, provider: provider, city: city, limits: ServerLimits().changed(by: limits),
                strategy: strategy, standby: standby, rotateEvery: rotateEvery, rotateAfterMegabytes: rotateAfter, spread: spread,
                fallback: fallback, onDemand: isOnDemand ? .closed : nil)
        }
        try await operations.execute(.setPool(pool))
        return .json(PoolInState.view(PoolInState(pool, operations.state)), status: isNew ? 201 : 200)
    }

    func deletePool(_ request: ServerRequest) async throws -> ServerResponse {
        try await operations.execute(.removePool(try knownCountry(request)))
        return .noContent
    }

    /// Of all providers: how many servers, the best load, and the exits.
    func listCountries(_ request: ServerRequest) async throws -> ServerResponse {
        let catalog = try await operations.catalog(of: nil)
        let state = operations.state
        return try responses.response(to: request, at: "\(catalog.revision)/\(state.revision)") {
            let byCountry = Dictionary(grouping: catalog.servers, by: \.country)
            let countries = Set(byCountry.keys).union(state.exits.values.map(\.country))
            return .json([
                "countries": countries.sorted().map { country in
                    country.fields(servers: byCountry[country] ?? [], exits: state.exits.of(country), isOnDemand: state.isOnDemand(country))
                }
            ])
        }
    }

    private func knownCountry(_ request: ServerRequest) throws -> CountryCode {
        guard let country = try request.country("cc") else { throw APIProblem.notFound("such pool") }
        return country
    }
}
