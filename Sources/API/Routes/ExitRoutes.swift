import HTTPServing
import Model
import OpenAPI
import RequestPipeline

/// `/api/exits`
struct ExitRoutes: RouteGroup {
    let operations: any Operations
    let proxy: ProxyAddress
    let list: ExitList
    let longPolls: LongPolls

    /// What the example of a new exit has otherwise: it has no server yet, and no probe.
    private static let pending: [String: Document?] = [
        "state": .string("pending"), "provider": nil, "server": nil, "exit_ip": nil, "exit_country": nil, "generation": .integer(0),
        "health": .object(["verdict": .string("unknown"), "score": .integer(1)]),
    ]

    var routes: [APIRoute] {
        let accepted = Answer.json(202, "the exit as it is now", .exit)
        return [
            Route(
                "GET", "/api/exits", .viewer, "All exits, or those that match a filter",
                query: [.country, Parameter("state", .choice(ExitState.self), "only in this state")],
                answers: [.json(200, "the exits by name", .exits)], .ready(listExits)),
            Route(
                "POST", "/api/exits", .operator, "Adds an exit for a country", "The country's pool grows by one, or is made.",
                query: [Parameter("wait", .number(0...120, 0), "seconds to wait until the exit serves or has failed")],
                body: Body(
                    .object(
                        [
                            .always("country", .country, "a country"),
                            .maybe("provider", .plain("nordvpn", length: 1...64), "a configured one"),
                            .maybe("city", .plain("New York", length: 1...100), "only servers of this city"),
                            .maybe("strategy", .choice(Strategy.self), "how servers are ranked"),
                        ] + Schema.serverLimitFields), example: .object(["country": .string("us")])),
                answers: [.json(202, "the new exit", .exit, headers: ["Location"], showing: Self.pending)], .waiting(createExit)),
            Route("GET", "/api/exits/{id}", .viewer, "One exit", answers: [.json(200, "the exit", .exit)], .ready(showExit)),
            Route(
                "DELETE", "/api/exits/{id}", .operator, "Removes an exit", "Its pool shrinks by one.",
                answers: [.json(202, "the exit as it is now", .exit, showing: ["leaving": .bool(true)])],
                .waiting(deleteExit)),
            Route(
                "POST", "/api/exits/{id}/rotate", .operator, "Replaces an exit by one on another server",
                "The old exit leaves when the new one serves.", answers: [accepted], .waiting(rotateExit)),
            Route(
                "GET", "/api/exits/{id}/health", .viewer, "Only an exit's health",
                answers: [.json(200, "the result of its probes", .health)], .ready(showHealth)),
            Route(
                "GET", "/api/exits/{id}/usage", .viewer, "An exit's traffic",
                "By hour and day, in UTC, the newest first. Counted by its name: traffic of earlier exits of that name is included.",
                query: UsageSpan.query, answers: [.json(200, "the usage", .exitUsage)], .waiting(showExitUsage)),
            Route(
                "GET", "/api/exits/{id}/logs", .operator, "Output of an exit's container",
                query: [Parameter("lines", .whole(1...1000, 100), "the last lines")],
                answers: [.text("standard output and error together")], .waiting(showLogs)),
        ]
    }

    func listExits(_ request: ServerRequest) throws -> ServerResponse {
        if request.query.isEmpty { return list.response }
        let state = operations.state
        let country = try request.country("country")
        let wanted = request.query("state").flatMap(ExitState.init(rawValue:))
        let exits = state.exits.values.filter { (country == nil || $0.country == country) && (wanted == nil || $0.state == wanted) }
        return .exits(exits, proxy: proxy)
    }

    func createExit(_ request: ServerRequest) async throws -> ServerResponse {
        let seconds = request.number("wait")
        let wanted: ExitRequest = try request.body { reader in
            let provider = reader.string("provider", limit: 64).map(ProviderName.init(rawValue:))
            let city = reader.string("city", atLeast: 1, limit: 100)
            let limits = reader.serverLimits()
            let strategy = reader.choice("strategy", Strategy.self)
            guard let country = reader.required("country", reader.country("country"), want: "an ISO 3166-1 alpha-2 code like us") else {
                return nil
            }
            return ExitRequest(country: country, provider: provider, city: city, limits: limits, strategy: strategy)
        }
        var exit = try await operations.exit(after: .addExit(wanted))
        if let seconds, seconds > 0 {
            let (id, operations) = (exit.id, operations)
            guard let served = await longPolls.run({ await operations.waitUntilServing(id, seconds: seconds) }) else {
                throw APIProblem(status: 409, code: "removed", message: "exit \(exit.id) was removed before it served")
            }
            exit = served
        }
        return .exit(exit, proxy: proxy, status: 202, headers: [("Location", "/api/exits/\(exit.id)")])
    }

    func showExit(_ request: ServerRequest) throws -> ServerResponse {
        return .exit(try exit(of: request), proxy: proxy)
    }

    func showHealth(_ request: ServerRequest) throws -> ServerResponse {
        return .health(try exit(of: request).health)
    }

    func deleteExit(_ request: ServerRequest) async throws -> ServerResponse {
        return .exit(try await operations.exit(after: .removeExit(try request.exitID())), proxy: proxy, status: 202)
    }

    func rotateExit(_ request: ServerRequest) async throws -> ServerResponse {
        return .exit(try await operations.exit(after: .rotateExit(try request.exitID())), proxy: proxy, status: 202)
    }

    func showLogs(_ request: ServerRequest) async throws -> ServerResponse {
        let text = try await operations.logs(of: try request.exitID(), lines: request.whole("lines") ?? 100)
        return ServerResponse(status: 200, headers: [("Content-Type", "text/plain; charset=utf-8")], body: Array(text.utf8))
    }

    func showExitUsage(_ request: ServerRequest) async throws -> ServerResponse {
        let exit = try exit(of: request)
        let (hours, days) = UsageSpan.span(of: request)
        return .json(try await operations.usage(of: exit.id, hours: hours, days: days).fields(of: exit.id))
    }

    private func exit(of request: ServerRequest) throws -> Exit {
        let id = try request.exitID()
        guard let exit = operations.state.exits[id] else { throw APIProblem.notFound("exit \(id)") }
        return exit
    }
}
