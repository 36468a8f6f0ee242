import AccessControl
import AuditLog
import HTTPServing
import Model
import OpenAPI
import Platform

/// Requests as entries of the audit log.
extension AuditEntry {
    /// Bytes of a state that an entry holds at most.
    private static let stateLimit = 32 << 10

    init(_ kind: AuditEntry.Kind, _ context: RequestContext, _ response: ServerResponse, before: Document? = nil) {
        self.init(kind, "\(context.request.method) \(context.route?.pattern ?? "?")")
        key = context.key?.name
        keyID = context.key?.id
        role = context.key.flatMap { $0.user == nil ? $0.role : nil }
        address = context.address
        method = String(context.request.method.prefix(32))
        path = context.path
        status = response.status
        durationMilliseconds = (((ContinuousClock.now - context.begin) / .milliseconds(1)) * 1000).rounded() / 1000
        requestID = context.request.id
        userAgent = context.request.headers["user-agent"].map { String($0.prefix(256)) }
        self.before = before
        if response.headers.contains(where: { $0.name == Idempotency.replayed }) {
            details = "repeated answer for its Idempotency-Key; nothing was done"
        }
        if kind != .request { after = Self.shown(response) }
    }

    /// What is there before a change: what the GET of its path answers, or of the thing that a POST does something to.
    static func state(before context: RequestContext, _ route: APIRoute, _ table: RouteTable) async -> Document? {
        guard let subject = route.subject, let reading = table.routes.first(where: { $0.method == "GET" && $0.pattern == subject }) else {
            return nil
        }
        var request = context.request
        request.head = request.head.withoutQuery
        switch reading.handler {
        case .ready(let body): return (try? body(request)).flatMap(shown)
        case .waiting(let body): return (try? await body(request)).flatMap(shown)
        }
    }

    /// An answer without its secrets.
    private static func shown(_ response: ServerResponse) -> Document? {
        guard response.stream == nil, (1...stateLimit).contains(response.body.count),
            case .object(let fields)? = try? Document(json: response.body)
        else { return nil }
        return .object(Secrets.masked(fields))
    }
}

extension Route where Access == Contract {
    /// The path of what a change is about: `/api/exits/{id}` of `POST /api/exits/{id}/rotate`; nil where it is not there before.
    fileprivate var subject: String? {
        guard method == "POST" else { return pattern }
        let parent = pattern.split(separator: "/").dropLast()
        return parent.last?.hasPrefix("{") ?? false ? "/" + parent.joined(separator: "/") : nil
    }
}
