import AccessControl
import HTTPServing
import OpenAPI
import Platform

/// What follows from a request's head alone, without time, settings or state.
final class RequestAnalysis: Sendable {
    let match: Router<Contract>.Match
    let route: APIRoute?
    let parameters: [String: String]
    /// The path as it was asked for, without its query, which may hold what nobody should read.
    let path: String
    /// The method as a label: one that a client has made up must not become one.
    let label: String
    /// True where the request asks for a change.
    let changes: Bool
    /// True where the answer is a stream.
    let isStream: Bool
    /// True where its route needs a key or a session.
    let needsKey: Bool
    /// True where it carries a key, whatever that is.
    let offersKey: Bool
    /// SHA-256 of the key; nil where no key looks like that.
    let keyDigest: String?
    /// SHA-256 of the token in its cookie, where it carries no key and its route needs one.
    let sessionDigest: String?
    let acceptsGzip: Bool
    /// Why the client says that it takes no answer of the route.
    let acceptProblem: APIProblem?
    let queryProblem: APIProblem?

    private static let methods: Set = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

    init(_ head: RequestHead, _ match: Router<Contract>.Match) {
        self.match = match
        if case .found(let route, let parameters) = match {
            (self.route, self.parameters) = (route, parameters)
        } else {
            (route, parameters) = (nil, [:])
        }
        path = Self.path(of: head.path)
        label = Self.methods.contains(head.method) ? head.method : "other"
        changes = route != nil && !["GET", "HEAD", "OPTIONS"].contains(head.method)
        isStream = route?.access.answers.contains { $0.mediaType == "text/event-stream" } ?? false
        offersKey = head.headers["x-api-key"] != nil || head.headers["authorization"] != nil
        keyDigest = KeyRing.digest(head)
        needsKey = route.map { $0.access.access != .open } ?? false
        sessionDigest = needsKey && !offersKey ? SessionCookie.digest(head.headers["cookie"]) : nil
        acceptsGzip = Negotiation.acceptsGzip(head.headers["accept-encoding"])
        acceptProblem = route.flatMap { Self.acceptProblem(head, $0) }
        let problems = route?.queryProblems(head.query) ?? []
        queryProblem = problems.isEmpty ? nil : APIProblem.invalid(problems)
    }

    /// For a request that no router has seen.
    convenience init(_ head: RequestHead) { self.init(head, .notFound) }

    private static func acceptProblem(_ head: RequestHead, _ route: APIRoute) -> APIProblem? {
        let types = route.access.answers.map(\.mediaType).filter { !$0.isEmpty }
        // A supervisor that is refused takes us for dead.
        guard route.access.limit != .none, Negotiation.refuses(head.headers["accept"], types) else { return nil }
        return APIProblem(status: 406, code: "not_acceptable", message: "the answer is \(types.joined(separator: " or "))")
    }

    private static func path(of segments: [String]) -> String {
        var text = ""
        for segment in segments {
            text += "/"
            let isPlain = segment.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
            text += isPlain ? segment : PercentEncoding.encode(segment)
        }
        return text.isEmpty ? "/" : text.utf8.count > 512 ? String(text.prefix(512)) : text
    }
}
