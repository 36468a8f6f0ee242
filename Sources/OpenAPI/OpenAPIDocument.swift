import HTTPServing
import Model

/// The table of routes as an OpenAPI 3.1 document.
enum OpenAPIDocument {
    static func document(of routes: [APIRoute], version: String) -> Document {
        var paths: [String: [String: Document]] = [:]
        for route in routes { paths[route.pattern, default: [:]][route.method.lowercased()] = operation(route) }
        return .object([
            "openapi": .string("3.1.0"),
            "info": .object([
                "title": .string("Sallyport"), "version": .string(version),
                "description": .string("VPN exits, their pools and proxy users, and the controller that runs them."),
                "license": .object(["name": .string("see the repository")]),
            ]),
            "servers": .array([.object(["url": .string("/")])]),
            "tags": .array(Set(routes.map(\.tag)).sorted().map { .object(["name": .string($0)]) }),
            "paths": .object(paths.mapValues(Document.object)),
            "components": .object([
                "schemas": .object(
                    components(of: routes).mapValues { schema in
                        guard case .object(var fields) = schema.document else { return schema.document }
                        fields["examples"] = .array([schema.example])
                        return .object(fields)
                    }),
                "securitySchemes": .object([
                    "key": .object(["type": .string("apiKey"), "in": .string("header"), "name": .string("X-API-Key")]),
                    "bearer": .object(["type": .string("http"), "scheme": .string("bearer")]),
                    "cookieAuth": .object([
                        "type": .string("apiKey"), "in": .string("cookie"), "name": .string("sallyport_session"),
                        "description": .string(
                            "of `POST /api/auth/session`; changes by it need the header `X-Sallyport-Request: dashboard` too"),
                    ]),
                ]),
            ]),
        ])
    }

    /// Every schema with a name that a route's answers and bodies refer to.
    static func components(of routes: [APIRoute]) -> [String: Schema] {
        let contracts = routes.map(\.access)
        let schemas = contracts.flatMap { $0.answers.compactMap(\.schema) } + contracts.compactMap { $0.body?.schema }
        return (schemas + [.problem, .streamEvent]).reduce(into: [:]) { $0.merge($1.components) { $1 } }
    }

    private static func operation(_ route: APIRoute) -> Document {
        let contract = route.access
        var fields: [String: Document] = [
            "operationId": .string(route.operationID), "summary": .string(contract.summary), "tags": .array([.string(route.tag)]),
            "responses": .object(responses(route)),
        ]
        var details = contract.details
        let byHeader: [Document] = [.object(["key": .array([])]), .object(["bearer": .array([])])]
        switch contract.access {
        case .open: fields["security"] = .array([])
        case .user:
            fields["security"] = .array(byHeader)
            fields["x-role"] = .string("user")
            details += (details.isEmpty ? "" : " ") + "For a proxy user's own token."
        case .role(let role):
            fields["security"] = .array(byHeader + [.object(["cookieAuth": .array([])])])
            fields["x-role"] = .string(role.rawValue)
            details += (details.isEmpty ? "" : " ") + "Role: \(role.rawValue)."
        }
        if !details.isEmpty { fields["description"] = .string(details) }
        let parameters = route.placeholders.map(placeholder) + contract.query.map(parameter) + headers(of: route)
        if !parameters.isEmpty { fields["parameters"] = .array(parameters) }
        if let body = contract.body {
            fields["requestBody"] = .object([
                "required": .bool(!body.isOptional),
                "content": .object([
                    "application/json": .object(["schema": body.schema.document, "example": body.example ?? body.schema.example])
                ]),
            ])
        }
        return .object(fields)
    }

    private static func placeholder(_ name: String) -> Document {
        guard let known = Placeholder.all[name] else { return .null }
        return .object([
            "name": .string(name), "in": .string("path"), "required": .bool(true), "description": .string(known.about),
            "schema": known.schema.document, "example": known.schema.example,
        ])
    }

    private static func parameter(_ parameter: Parameter) -> Document {
        .object([
            "name": .string(parameter.name), "in": .string("query"), "required": .bool(false), "description": .string(parameter.about),
            "schema": parameter.schema.document,
        ])
    }

    private static func headers(of route: APIRoute) -> [Document] {
        guard route.method == "POST", route.access.access != .open else { return [] }
        return [
            .object([
                "name": .string("Idempotency-Key"), "in": .string("header"), "required": .bool(false),
                "description": .string(
                    "an id of this request: sent again with the same id, it is carried out once and gets the same answer"),
                "schema": .object([
                    "type": .string("string"),
                    "pattern": .string(#"^(?:[A-Za-z0-9_.:-]{1,128}|"(?:[ !#-\[\]-~]|\\["\\]){1,128}")$"#),
                ]),
            ])
        ]
    }

    // MARK: - Answers

    private static let headersOfAll: [(String, String)] = [
        ("X-Request-ID", "the request's id in the log"), ("X-RateLimit-Limit", "requests that are allowed in a window"),
        ("X-RateLimit-Remaining", "remaining requests"), ("X-RateLimit-Reset", "seconds until the window has moved on"),
    ]

    private static func responses(_ route: APIRoute) -> [String: Document] {
        var responses: [String: Document] = [:]
        for answer in route.access.answers {
            var names = headersOfAll
            for header in answer.headers { names.append((header, "see the description")) }
            var fields: [String: Document] = [
                "description": .string(answer.about),
                "headers": .object(names.reduce(into: [:]) { headers, entry in headers[entry.0] = header(entry.1) }),
            ]
            if let schema = answer.schema {
                fields["content"] = .object([
                    answer.mediaType: .object(["schema": schema.document, "example": answer.example ?? schema.example])
                ])
            } else if answer.mediaType == "text/event-stream" {
                // What one event of the stream is; OpenAPI 3.1 has no better place for it.
                fields["content"] = .object([answer.mediaType: .object(["schema": Schema.streamEvent.document])])
            } else if !answer.mediaType.isEmpty {
                fields["content"] = .object([answer.mediaType: .object(["schema": .object(["type": .string("string")])])])
            }
            responses[String(answer.status)] = .object(fields)
        }
        if route.method == "GET", route.access.answers.contains(where: { $0.status == 200 }) {
            responses["304"] = .object(["description": .string("unchanged since the answer that had this ETag")])
        }
        for status in route.problemStatuses where responses[String(status)] == nil { responses[String(status)] = problem(status) }
        return responses
    }

    private static func header(_ about: String) -> Document {
        .object(["description": .string(about), "schema": .object(["type": .string("string")])])
    }

    private static func problem(_ status: Int) -> Document {
        let (about, code) = ProblemStatus.words[status] ?? ("a problem", "problem")
        let example: Document = .object([
            "error": .string(code), "message": .string(about), "request_id": .string("0f3c9a1b2c3d4e5f"),
        ])
        var names = headersOfAll
        if status == 429 || status == 503 { names.append(("Retry-After", "seconds until the next attempt")) }
        if status == 401 { names.append(("WWW-Authenticate", "how to send a key")) }
        return .object([
            "description": .string(about), "headers": .object(names.reduce(into: [:]) { $0[$1.0] = header($1.1) }),
            "content": .object(["application/json": .object(["schema": Schema.problem.document, "example": example])]),
        ])
    }
}
