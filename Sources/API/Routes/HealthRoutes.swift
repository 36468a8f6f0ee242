import AuditLog
import HTTPServing
import Model
import OpenAPI

/// `/health`: whether the process answers, whether its parts do; `/health/deep`: each part, whether it was asked, and its answer.
struct HealthRoutes: RouteGroup {
    let operations: any Operations
    let audit: AuditLog

    var liveness: [APIRoute] {
        [
            Route(
                "GET", "/health/live", .open, "Shows that the process answers", answers: [.json(200, "the process answers", .live)],
                limit: .none, .ready { _ in .json(["status": "live"]) }),
            Route(
                "GET", "/health", .open, "The same as /health/live", answers: [.json(200, "the process answers", .live)], limit: .none,
                .ready { _ in .json(["status": "live"]) }),
            Route(
                "GET", "/health/ready", .open, "Lists the outside parts that don't answer",
                answers: [
                    .json(200, "all parts answer", .readiness),
                    .json(
                        503, "some parts don't answer", .readiness,
                        showing: ["status": .string("not_ready"), "problems": .object(["engine": .string("no Docker Engine answers")])]),
                ], limit: .none, .ready { _ in self.ready() }),
        ]
    }

    var routes: [APIRoute] {
        [
            Route(
                "GET", "/health/deep", .viewer, "The state of each part",
                "`ok`: it answered at its last check. `unknown`: this controller has not checked it.",
                answers: [.json(200, "each part", .deepHealth)], .ready(showDeepHealth))
        ]
    }

    private func ready() -> ServerResponse {
        let state = operations.state
        let isReady = state.problems.isEmpty
        let body = Fields([
            "status": isReady ? "ready" : "not_ready", "problems": state.problems, "role": state.leader == nil ? "leader" : "follower",
            "leader": state.leader,
        ])
        return .json(body, status: isReady ? 200 : 503)
    }

    struct PartView: Encodable {
        var status: String
        var problem: String?
        var note: String?
        var askedAt: Timestamp?
    }

    func showDeepHealth(_ request: ServerRequest) throws -> ServerResponse {
        let parts = partsByName
        let isTroubled = parts.values.contains { $0.status == "troubled" }
        return .json(
            Fields([
                "status": isTroubled ? "troubled" : "healthy", "role": operations.state.leader == nil ? "leader" : "follower",
                "parts": parts,
            ]))
    }

    /// Each part, whether it was asked, and its answer.
    var partsByName: [String: PartView] {
        let state = operations.state
        let names = Set(["engine", "gateway", "store", "catalog", "host", "loop"]).union(state.problems.keys)
        var parts = names.reduce(into: [:]) { $0[$1] = Self.part($1, state) }
        let figures = audit.figures
        let trouble = figures.trouble ?? figures.problems.first.map { "not intact: \($0)" }
        parts["audit"] = PartView(status: trouble == nil ? "ok" : "troubled", problem: trouble)
        return parts
    }

    private static func part(_ name: String, _ state: OperatorState) -> PartView {
        let time = state.asked[name]
        if let problem = state.problems[name] { return PartView(status: "troubled", problem: problem, askedAt: time) }
        if let time { return PartView(status: "ok", askedAt: time) }
        let why =
            if let leader = state.leader {
                "not checked: controller \(leader) leads"
            } else if name == "host" {
                "not checked: no exit serves, and none has died"
            } else {
                "not checked yet"
            }
        return PartView(status: "unknown", note: why)
    }
}

extension Schema {
    static let deepHealth = named(
        "DeepHealth", .always("status", .choice(["healthy", "troubled"]), "troubled if a checked part is"),
        .always("role", .choice(["leader", "follower"])),
        .always(
            "parts",
            .map(
                .object(
                    .always("status", .choice(["ok", "troubled", "unknown"])), .maybe("problem", .text("nobody answers"), "what is wrong"),
                    .maybe("note", .text("not checked: controller host-3f9a1c leads"), "why it is unknown"),
                    .maybe("asked_at", .time, "when it was last checked")
                ).showing(["problem": nil, "note": nil]), key: "engine")))
    static let live = named("Live", .always("status", .choice(["live"])))
    static let readiness = named(
        "Readiness", .always("status", .choice(["ready", "not_ready"])),
        .always("problems", .map(.text("no Docker Engine answers"), key: "engine"), "outside parts that don't answer, with the reason"),
        .always("role", .choice(["leader", "follower"]), "a follower shows the leader's state, and forwards changes to it"),
        .maybe("leader", .text("host-3f9a1c"), "the leader, if it is another controller"),
        showing: ["problems": .object([:]), "leader": nil])
}
