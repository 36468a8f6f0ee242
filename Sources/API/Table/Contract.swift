import HTTPServing
import Model

/// What a route promises beside its method and path: who may call it, what it takes, what it answers.
///
/// Router, permissions, check of parameters, OpenAPI document, pages and tests are all made from this.
package struct Contract: Sendable {
    var access: Access
    var summary: String
    /// More about it, in sentences; empty where the summary says all.
    var details: String
    var query: [Parameter]
    var body: Body?
    /// The first is the usual one.
    var answers: [Answer]
    /// Statuses of its own problems, beside those that every route of its kind can have.
    var problems: [Int]
    /// Which limit its calls count against.
    var limit: LimitClass
    /// True where an answer holds a secret that is shown once: a repeated request gets it from this process alone.
    var answersSecret: Bool

    init(
        _ access: Access, _ summary: String, _ details: String = "", query: [Parameter] = [], body: Body? = nil, answers: [Answer],
        problems: [Int] = [], limit: LimitClass = .standard, answersSecret: Bool = false
    ) {
        self.access = access
        self.summary = summary
        self.details = details
        self.query = query
        self.body = body
        self.answers = answers
        self.problems = problems
        self.limit = limit
        self.answersSecret = answersSecret
    }
}

/// Groups of routes that share a limit.
package enum LimitClass: String, Sendable, CaseIterable {
    case standard
    /// Keys and administration.
    case strict
    /// What supervisors ask for: never limited.
    case none
}

/// A parameter of the query. All are optional.
struct Parameter: Sendable {
    var name: String
    var schema: Schema
    var about: String

    init(_ name: String, _ schema: Schema, _ about: String) {
        self.name = name
        self.schema = schema
        self.about = about
    }

    static let country = Parameter("country", .country, "only of this country, an ISO 3166-1 alpha-2 code")
}

/// The JSON object that a request carries.
struct Body: Sendable {
    var schema: Schema
    /// True where an empty body is as good as an empty object.
    var isOptional = false
    /// A good one for the document and the tests, where the schema's own example is none.
    var example: Document?

    init(_ schema: Schema, isOptional: Bool = false, example: Document? = nil) {
        self.schema = schema.asInput
        self.isOptional = isOptional
        self.example = example
    }
}

/// One kind of answer that is no problem.
struct Answer: Sendable {
    var status: Int
    var about: String
    var mediaType: String
    /// Nil for an empty body or one that is not JSON.
    var schema: Schema?
    var headers: [String]
    /// What the schema's example has otherwise here; nil leaves a field out.
    var showing: [String: Document?] = [:]

    var example: Document? { schema.map { $0.resolved.showing(showing).example } }

    static func json(
        _ status: Int, _ about: String, _ schema: Schema, headers: [String] = [], showing: [String: Document?] = [:]
    ) -> Answer {
        Answer(status: status, about: about, mediaType: "application/json", schema: schema, headers: headers, showing: showing)
    }

    static func text(_ about: String, _ mediaType: String = "text/plain") -> Answer {
        Answer(status: 200, about: about, mediaType: mediaType, schema: nil, headers: [])
    }

    static func empty(_ about: String) -> Answer { Answer(status: 204, about: about, mediaType: "", schema: nil, headers: []) }
}

/// What a placeholder of a path stands for; every placeholder of the table has one.
struct Placeholder: Sendable {
    var schema: Schema
    var about: String

    static let all: [String: Placeholder] = [
        "id": Placeholder(schema: .text("us-1", pattern: "^[a-z]{2}-[1-9][0-9]{0,2}$"), about: "the exit's name"),
        "cc": Placeholder(schema: .country, about: "a country, an ISO 3166-1 alpha-2 code"),
        "provider": Placeholder(schema: .text("all", pattern: "^[a-z0-9]{1,64}$"), about: "a provider, or `all`"),
        "name": Placeholder(schema: .text("alice", pattern: "^[a-z0-9_.]{1,32}$"), about: "the proxy user's name"),
        "key": Placeholder(schema: .text("k3f9ab27c", pattern: "^[A-Za-z0-9_.-]{1,80}$"), about: "an API key's id"),
        "hook": Placeholder(schema: .text("w3f9ab27c1d2e", pattern: "^[A-Za-z0-9]{1,40}$"), about: "a webhook's id"),
        "ip": Placeholder(schema: .text("192.0.2.7", format: "ipv4"), about: "an IPv4 or IPv6 address"),
    ]
}

typealias APIRoute = Route<Contract>

extension Route where Access == Contract {
    /// The placeholders of its path, in order.
    var placeholders: [String] {
        pattern.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }

    /// A target that it would answer well, with the examples of its placeholders.
    var exampleTarget: String {
        placeholders.reduce(pattern) { target, name in
            guard case .string(let text)? = Placeholder.all[name]?.schema.example else { return target }
            return target.replacing("{\(name)}", with: text)
        }
    }

    var exampleBody: Document? { access.body.map { $0.example ?? $0.schema.example } }

    /// What is wrong with a request's query: unknown parameters, and values that their schemas don't allow.
    func queryProblems(_ query: [(name: String, value: String)]) -> [FieldProblem] {
        guard !query.isEmpty else { return [] }
        var seen: Set<String> = []
        return query.flatMap { name, text -> [FieldProblem] in
            guard let parameter = access.query.first(where: { $0.name == name }) else {
                let known = access.query.map(\.name).sorted().joined(separator: ", ")
                let wanted = known.isEmpty ? "none is allowed here" : "known are \(known)"
                return [FieldProblem(field: String(name.prefix(64)), message: "unknown parameter, \(wanted)")]
            }
            guard seen.insert(name).inserted else { return [FieldProblem(field: name, message: "is given twice")] }
            guard let value = parameter.schema.value(of: text) else {
                return [FieldProblem(field: name, message: parameter.schema.want)]
            }
            return parameter.schema.problems(with: value, at: name)
        }
    }

    /// Every status that a call can have that is no success, with what it means.
    var problemStatuses: [Int] {
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
}
