import FoundationEssentials
import HTTPServing
import Model
import Platform

/// Requests as entries of the audit log.
extension API {
    /// Bytes of a state that an entry holds at most.
    private static let stateLimit = 8 << 10

    func entry(_ kind: AuditEntry.Kind, _ call: Call, _ response: ServerResponse, before: Document? = nil) -> AuditEntry {
        var entry = AuditEntry(kind, "\(call.request.method) \(call.route?.pattern ?? "?")")
        entry.key = call.key?.name
        entry.keyID = call.key?.id
        entry.role = call.key?.role
        entry.address = call.address
        entry.method = String(call.request.method.prefix(32))
        entry.path = call.path
        entry.status = response.status
        entry.durationMilliseconds = (((ContinuousClock.now - call.begin) / .milliseconds(1)) * 1000).rounded() / 1000
        entry.requestID = call.request.id
        entry.userAgent = call.request.headers["user-agent"].map { String($0.prefix(256)) }
        entry.before = before
        if kind != .request { entry.after = Self.shown(response) }
        return entry
    }

    /// What stands at a path before a change: what the GET of the same pattern answers.
    func state(of call: Call, _ route: APIRoute) async -> Document? {
        guard let reading = routes.first(where: { $0.method == "GET" && $0.pattern == route.pattern }), call.request.method != "POST" else {
            return nil
        }
        var request = call.request
        request.query = []
        switch reading.handler {
        case .ready(let body): return (try? body(request)).flatMap(Self.shown)
        case .waiting(let body): return (try? await body(request)).flatMap(Self.shown)
        }
    }

    /// An answer without its secrets.
    private static func shown(_ response: ServerResponse) -> Document? {
        guard response.stream == nil, (1...stateLimit).contains(response.body.count),
            case .object(var fields)? = try? JSONDecoder().decode(Document.self, from: Data(response.body))
        else { return nil }
        for secret in ["password", "key", "secret"] where fields[secret] != nil { fields[secret] = .string("********") }
        return .object(fields)
    }
}
