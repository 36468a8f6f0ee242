import HTTPServing
import Model
import Platform

/// Requests as entries of the audit log.
extension API {
    /// Bytes of a state that an entry holds at most.
    private static let stateLimit = 32 << 10

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
        if response.headers.contains(where: { $0.name == Idempotency.replayed }) {
            entry.details = "answered as before, for its Idempotency-Key; nothing was done"
        }
        if kind != .request { entry.after = Self.shown(response) }
        return entry
    }

    /// What is there before a change: what the GET of its path answers, or of the thing that a POST does something to.
    func state(of call: Call, _ route: APIRoute) async -> Document? {
        guard let subject = route.subject, let reading = routes.first(where: { $0.method == "GET" && $0.pattern == subject }) else {
            return nil
        }
        var request = call.request
        request.head = request.head.withoutQuery
        switch reading.handler {
        case .ready(let body): return (try? body(request)).flatMap(Self.shown)
        case .waiting(let body): return (try? await body(request)).flatMap(Self.shown)
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
