package import HTTPServing
package import Model

package typealias APIRoute = Route<Contract>

extension Route where Access == Contract {
    /// A route with its contract in one call.
    package convenience init(
        _ method: String, _ pattern: String, _ access: OpenAPI.Access, _ summary: String, _ details: String = "",
        query: [Parameter] = [], body: Body? = nil, answers: [Answer], problems: [Int] = [], limit: LimitClass = .standard,
        answersSecret: Bool = false, showsByRole: Bool = false, _ handler: Handler
    ) {
        let contract = Contract(
            access, summary, details, query: query, body: body, answers: answers, problems: problems, limit: limit,
            answersSecret: answersSecret, showsByRole: showsByRole)
        self.init(method, pattern, contract, handler)
    }

    /// The placeholders of its path, in order.
    package var placeholders: [String] {
        pattern.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }

    /// A target that it would answer well, with the examples of its placeholders.
    package var exampleTarget: String {
        placeholders.reduce(pattern) { target, name in
            guard case .string(let text)? = Placeholder.all[name]?.schema.example else { return target }
            return target.replacing("{\(name)}", with: text)
        }
    }

    package var exampleBody: Document? { access.body.map { $0.example ?? $0.schema.example } }

    /// What is wrong with a request's query: unknown parameters, and values that their schemas don't allow.
    package func queryProblems(_ query: [(name: String, value: String)]) -> [FieldProblem] {
        guard !query.isEmpty, !access.takesAnyQuery else { return [] }
        var seen: Set<String> = []
        return query.flatMap { name, text -> [FieldProblem] in
            guard let parameter = access.query.first(where: { $0.name == name }) else {
                let known = access.query.map(\.name).sorted().joined(separator: ", ")
                let wanted = known.isEmpty ? "none is allowed here" : "known are \(known)"
                return [FieldProblem(field: String(name.prefix(64)), message: "unknown parameter, \(wanted)")]
            }
            guard seen.insert(name).inserted else { return [FieldProblem(field: name, message: "is given twice")] }
            guard let value = parameter.schema.value(of: text) else {
                return [FieldProblem(field: name, message: parameter.schema.expectation)]
            }
            return parameter.schema.problems(with: value, at: name)
        }
    }

    /// Every status that a call can have that is no success, with what it means.
    package var problemStatuses: [Int] {
        var statuses: Set<Int> = [400, 406, 413, 431, 500, 503]
        if access.access != .open { statuses.formUnion([401, 403]) }
        if access.limit != .none { statuses.insert(429) }
        if !access.query.isEmpty || access.body != nil || !placeholders.isEmpty { statuses.insert(422) }
        // Unknown parameters are a mistake everywhere.
        statuses.insert(422)
        if !placeholders.isEmpty { statuses.insert(404) }
        if access.body != nil || access.limit != .none { statuses.insert(415) }
        if method == "POST" { statuses.insert(409) }
        return statuses.union(access.problems).sorted()
    }

    /// What its path is about: `exits` of `/api/exits/{id}`.
    var tag: String {
        let parts = pattern.split(separator: "/").filter { $0 != "api" && $0 != "admin" && !$0.hasPrefix("{") }
        let first = parts.first.map(String.init) ?? "server"
        return pattern.hasPrefix("/admin") ? "admin" : pattern.contains("{provider}") ? "catalog" : first
    }

    /// "get_api_exits_id_logs"
    package var operationID: String {
        let words = pattern.split(separator: "/").map { $0.filter { $0.isLetter || $0.isNumber || $0 == "." } }
        return ([method.lowercased()] + words).joined(separator: "_").replacing(".", with: "_").replacing("-", with: "_")
    }
}
