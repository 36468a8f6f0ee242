/// What a route does: answer at once, on the server's own thread, or after waiting for something.
package enum Handler: Sendable {
    case ready(@Sendable (ServerRequest) throws -> ServerResponse)
    case waiting(@Sendable (ServerRequest) async throws -> ServerResponse)
}

/// One line of the table of routes.
package struct Route<Access: Sendable>: Sendable {
    package var method: String
    /// "/api/exits/{id}"
    package var pattern: String
    /// Who may call it, in the API's own terms.
    package var access: Access
    package var handler: Handler

    package init(_ method: String, _ pattern: String, _ access: Access, _ handler: Handler) {
        self.method = method
        self.pattern = pattern
        self.access = access
        self.handler = handler
    }

    var segments: [Substring] { pattern.split(separator: "/") }
}

/// Finds the route of a request: by its path, where fixed segments win over placeholders, then by its method.
package struct Router<Access: Sendable>: Sendable {
    private struct Entry: Sendable {
        var segments: [Substring]
        var methods: [String: Route<Access>]
    }

    package enum Match: Sendable {
        case found(Route<Access>, parameters: [String: String])
        case wrongMethod(allowed: [String])
        case notFound
    }

    private let entries: [Entry]

    package init(_ routes: [Route<Access>]) {
        var byPattern: [String: Entry] = [:]
        for route in routes {
            byPattern[route.pattern, default: Entry(segments: route.segments, methods: [:])].methods[route.method] = route
        }
        // Fixed segments before placeholders, so that the first match is the most exact.
        entries = byPattern.values.sorted { left, right in
            let placeholders = (left.segments.map(Self.isPlaceholder), right.segments.map(Self.isPlaceholder))
            return placeholders.0.map { $0 ? 1 : 0 }.lexicographicallyPrecedes(placeholders.1.map { $0 ? 1 : 0 })
        }
    }

    package func match(method: String, path: [String]) -> Match {
        for entry in entries {
            guard let parameters = Self.parameters(of: path, in: entry.segments) else { continue }
            if let route = entry.methods[method] ?? (method == "HEAD" ? entry.methods["GET"] : nil) {
                return .found(route, parameters: parameters)
            }
            let allowed = Set(entry.methods.keys).union(entry.methods["GET"] == nil ? [] : ["HEAD"])
            return .wrongMethod(allowed: allowed.sorted())
        }
        return .notFound
    }

    private static func isPlaceholder(_ segment: Substring) -> Bool { segment.hasPrefix("{") }

    private static func parameters(of path: [String], in segments: [Substring]) -> [String: String]? {
        guard path.count == segments.count else { return nil }
        var parameters: [String: String] = [:]
        for (value, segment) in zip(path, segments) {
            if isPlaceholder(segment) {
                parameters[String(segment.dropFirst().dropLast())] = value
            } else if value != segment {
                return nil
            }
        }
        return parameters
    }
}
