import HTTPServing
package import Model

/// Who may call a route.
package enum Access: Sendable, Equatable {
    case open
    case role(Role)
    /// A proxy user, by their own token.
    case user

    package static let viewer = Access.role(.viewer)
    package static let `operator` = Access.role(.operator)
    package static let admin = Access.role(.admin)
}

/// What a route promises beside its method and path: who may call it, what it takes, what it answers.
///
/// Router, permissions, check of parameters, OpenAPI document and tests are all made from this.
package struct Contract: Sendable {
    package var access: Access
    package var summary: String
    /// More about it, in sentences; empty where the summary says all.
    package var details: String
    package var query: [Parameter]
    package var body: Body?
    /// The first is the usual one.
    package var answers: [Answer]
    /// Statuses of its own problems, beside those that every route of its kind can have.
    package var problems: [Int]
    /// Which limit its calls count against.
    package var limit: LimitClass
    /// True where an answer holds a secret that is shown once: a repeated request gets it from this process alone.
    package var answersSecret: Bool
    /// True where the role decides what a stream shows: it ends when its key's role is lowered.
    package var showsByRole: Bool
    /// True where parameters of the query are for the answer's reader: those of the dashboard's pages.
    package var takesAnyQuery: Bool

    package init(
        _ access: Access, _ summary: String, _ details: String = "", query: [Parameter] = [], body: Body? = nil, answers: [Answer],
        problems: [Int] = [], limit: LimitClass = .standard, answersSecret: Bool = false, showsByRole: Bool = false,
        takesAnyQuery: Bool = false
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
        self.showsByRole = showsByRole
        self.takesAnyQuery = takesAnyQuery
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
package struct Parameter: Sendable {
    package var name: String
    package var schema: Schema
    package var about: String

    package init(_ name: String, _ schema: Schema, _ about: String) {
        self.name = name
        self.schema = schema
        self.about = about
    }

    package static let country = Parameter("country", .country, "only of this country, an ISO 3166-1 alpha-2 code")
}

/// The JSON object that a request carries.
package struct Body: Sendable {
    package var schema: Schema
    /// True where an empty body is as good as an empty object.
    package var isOptional = false
    /// A good one for the document and the tests, where the schema's own example is none.
    package var example: Document?

    package init(_ schema: Schema, isOptional: Bool = false, example: Document? = nil) {
        self.schema = schema.asInput
        self.isOptional = isOptional
        self.example = example
    }

    package init(_ fields: Schema.Field..., isOptional: Bool = false, example: Document? = nil) {
        self.init(.object(fields), isOptional: isOptional, example: example)
    }
}

/// One kind of answer that is no problem.
package struct Answer: Sendable {
    package var status: Int
    package var about: String
    package var mediaType: String
    /// Nil for an empty body or one that is not JSON.
    package var schema: Schema?
    package var headers: [String]
    /// What the schema's example has otherwise here; nil leaves a field out.
    package var showing: [String: Document?] = [:]

    package var example: Document? { schema.map { $0.resolved.showing(showing).example } }

    package static func json(
        _ status: Int, _ about: String, _ schema: Schema, headers: [String] = [], showing: [String: Document?] = [:]
    ) -> Answer {
        Answer(status: status, about: about, mediaType: "application/json", schema: schema, headers: headers, showing: showing)
    }

    package static func text(_ about: String, _ mediaType: String = "text/plain") -> Answer {
        Answer(status: 200, about: about, mediaType: mediaType, schema: nil, headers: [])
    }

    /// 302, with the other address in `Location`.
    package static func found(_ about: String) -> Answer {
        Answer(status: 302, about: about, mediaType: "", schema: nil, headers: ["Location"])
    }

    package static func empty(_ about: String) -> Answer { Answer(status: 204, about: about, mediaType: "", schema: nil, headers: []) }
}

/// What a placeholder of a path stands for; every placeholder of the table has one.
package struct Placeholder: Sendable {
    package var schema: Schema
    package var about: String

    package static let all: [String: Placeholder] = [
        "id": Placeholder(schema: .text("us-1", pattern: "^[a-z]{2}-[1-9][0-9]{0,2}$"), about: "the exit's name"),
        "cc": Placeholder(schema: .country, about: "a country, an ISO 3166-1 alpha-2 code"),
        "provider": Placeholder(schema: .text("all", pattern: "^[a-z0-9]{1,64}$"), about: "a provider, or `all`"),
        "name": Placeholder(schema: .text("alice", pattern: "^[a-z0-9_.]{1,32}$"), about: "the proxy user's name"),
        "key": Placeholder(schema: .text("k3f9ab27c", pattern: "^[A-Za-z0-9_.-]{1,80}$"), about: "an API key's id"),
        "session": Placeholder(schema: .text("s3f9ab27c1d2e", pattern: "^[a-z0-9]{1,40}$"), about: "a session's id"),
        "hook": Placeholder(schema: .text("w3f9ab27c1d2e", pattern: "^[A-Za-z0-9]{1,40}$"), about: "a webhook's id"),
        "ip": Placeholder(schema: .text("192.0.2.7", format: "ipv4"), about: "an IPv4 or IPv6 address"),
    ]
}
