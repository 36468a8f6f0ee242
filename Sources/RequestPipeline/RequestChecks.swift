import HTTPServing
import Model
import OpenAPI

/// Checks a request against the contract of its route.
enum RequestChecks {
    /// True where the body counts as none: it is empty in meaning and the route takes none, or the route is one for supervisors.
    static func mayDropBody(_ route: APIRoute, _ body: [UInt8]) -> Bool {
        guard !body.isEmpty, route.access.limit != .none else { return true }
        guard let wanted = route.access.body else { return Negotiation.saysNothing(body) }
        // Null where an object may be is a mistake that is told.
        return wanted.isOptional && Negotiation.saysNothing(body) && !body.contains(0x6E)
    }

    static func problem(in context: RequestContext, _ route: APIRoute) -> APIProblem? {
        let request = context.request
        if let problem = context.analysis.acceptProblem { return problem }
        if !request.body.isEmpty {
            guard route.access.body != nil else {
                return APIProblem(status: 415, code: "media_type", message: "this request takes no body")
            }
            guard Negotiation.isJSON(request.headers["content-type"]) else {
                return APIProblem(status: 415, code: "media_type", message: "expected Content-Type: application/json")
            }
        }
        if request.body.isEmpty, let body = route.access.body, !body.isOptional {
            return APIProblem.invalid("body", "is missing, expected a JSON object")
        }
        return context.analysis.queryProblem
    }
}
