/// What a route does: answer at once, on the server's own thread, or after waiting for something.
package enum Handler: Sendable {
    case ready(@Sendable (ServerRequest) throws -> ServerResponse)
    case waiting(@Sendable (ServerRequest) async throws -> ServerResponse)
}

/// One line of the table of routes; an object, since each request passes it on many times.
package final class Route<Access: Sendable>: Sendable {
    package let method: String
    /// "/api/exits/{id}"
    package let pattern: String
    /// Who may call it, in the API's own terms.
    package let access: Access
    package let handler: Handler

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

    /// Patterns without placeholders by their segments, and all others.
    private let fixed: [[String]: Entry]
    private let entries: [Entry]

    package init(_ routes: [Route<Access>]) {
        var byPattern: [String: Entry] = [:]
        for route in routes {
            byPattern[route.pattern, default: Entry(segments: route.segments, methods: [:])].methods[route.method] = route
        }
        // Fixed segments before placeholders, so that the first match is the most exact.
        let isFixed = { (entry: Entry) in !entry.segments.contains(where: Self.isPlaceholder) }
        fixed = Dictionary(byPattern.values.filter(isFixed).map { ($0.segments.map(String.init), $0) }) { first, _ in first }
        entries = byPattern.values.filter { !isFixed($0) }.sorted { left, right in
            let placeholders = (left.segments.map(Self.isPlaceholder), right.segments.map(Self.isPlaceholder))
            return placeholders.0.map { $0 ? 1 : 0 }.lexicographicallyPrecedes(placeholders.1.map { $0 ? 1 : 0 })
        }
    }

    package func match(method: String, path: [String]) -> Match {
        if let entry = fixed[path] { return Self.match(method, entry, [:]) }
        for entry in entries {
            if let parameters = Self.parameters(of: path, in: entry.segments) { return Self.match(method, entry, parameters) }
        }
        return .notFound
    }

    private static func match(_ method: String, _ entry: Entry, _ parameters: [String: String]) -> Match {
        if let route = entry.methods[method] ?? (method == "HEAD" ? entry.methods["GET"] : nil) {
            return .found(route, parameters: parameters)
        }
        let allowed = Set(entry.methods.keys).union(entry.methods["GET"] == nil ? [] : ["HEAD"])
        return .wrongMethod(allowed: allowed.sorted())
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
