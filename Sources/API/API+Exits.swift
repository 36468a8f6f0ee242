import HTTPServing
import Model

/// `/api/exits`
extension API {
    func listExits(_ request: ServerRequest) throws -> ServerResponse {
        let state = operations.state
        if request.query.isEmpty { return .json(bytes: encodedExits(state)) }
        try request.allowQuery(["country", "state"])
        let country = try request.country("country")
        var wanted: ExitState?
        if let text = request.query("state") {
            wanted = ExitState(rawValue: text)
            if wanted == nil {
                let known = ExitState.allCases.map(\.rawValue).joined(separator: ", ")
                throw APIProblem.invalid([FieldProblem(field: "state", message: "unknown state, want one of \(known)")])
            }
        }
        let exits = state.exits.values.filter { (country == nil || $0.country == country) && (wanted == nil || $0.state == wanted) }
        return .json(["exits": views(exits)])
    }

    func createExit(_ request: ServerRequest) async throws -> ServerResponse {
        try request.allowQuery(["wait"])
        let seconds = try request.number("wait", in: 0...120)
        let wish: ExitWish = try request.body { reader in
            let provider = reader.string("provider", limit: 64).map(ProviderName.init(rawValue:))
            let city = reader.string("city", limit: 100)
            let strategy = reader.choice("strategy", Strategy.self)
            guard let country = reader.required("country", reader.country("country"), want: "an ISO 3166-1 alpha-2 code like us") else {
                return nil
            }
            return ExitWish(country: country, provider: provider, city: city, strategy: strategy)
        }
        var exit = try await operations.addExit(wish)
        if let seconds, seconds > 0 {
            guard let settled = await operations.settled(exit.id, seconds: seconds) else {
                throw APIProblem(status: 409, code: "removed", message: "exit \(exit.id) was removed before it served")
            }
            exit = settled
        }
        return .json(ExitView(exit, proxy: proxy), status: 202, headers: [("Location", "/api/exits/\(exit.id)")])
    }

    func showExit(_ request: ServerRequest) throws -> ServerResponse {
        try request.allowQuery([])
        return .json(ExitView(try exit(of: request), proxy: proxy))
    }

    func showHealth(_ request: ServerRequest) throws -> ServerResponse {
        try request.allowQuery([])
        return .json(ExitView.view(of: try exit(of: request).health))
    }

    func deleteExit(_ request: ServerRequest) async throws -> ServerResponse {
        try request.allowQuery([])
        return .json(ExitView(try await operations.removeExit(try request.exitID()), proxy: proxy), status: 202)
    }

    func rotateExit(_ request: ServerRequest) async throws -> ServerResponse {
        try request.allowQuery([])
        return .json(ExitView(try await operations.rotate(try request.exitID()), proxy: proxy), status: 202)
    }

    func showLogs(_ request: ServerRequest) async throws -> ServerResponse {
        try request.allowQuery(["lines"])
        let lines = try request.number("lines", in: 1...1000) ?? 100
        let text = try await operations.logs(of: try request.exitID(), lines: Int(lines))
        return ServerResponse(status: 200, headers: [("Content-Type", "text/plain; charset=utf-8")], body: Array(text.utf8))
    }

    private func exit(of request: ServerRequest) throws -> Exit {
        let id = try request.exitID()
        guard let exit = operations.state.exits[id] else { throw APIProblem.notFound("exit \(id)") }
        return exit
    }
}
