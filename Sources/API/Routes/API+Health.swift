import HTTPServing
import Model

/// `/health/deep`: each part, whether it was asked, and what it answered.
extension API {
    static let healthSchemas: [String: Schema] = [
        "DeepHealth": .object(
            .always("status", .choice(["healthy", "troubled"]), "troubled where a part that was asked is"),
            .always("role", .choice(["leader", "follower"])),
            .always(
                "parts",
                .map(
                    .object(
                        .always("status", .choice(["ok", "troubled", "unknown"])),
                        .maybe("problem", .text("nobody answers"), "what is wrong"),
                        .maybe("note", .text("not asked: controller host-3f9a1c leads"), "why it is unknown"),
                        .maybe("asked_at", .time, "when it was last asked")
                    ).showing(["problem": nil, "note": nil]), key: "engine")))
    ]

    var healthRoutes: [APIRoute] {
        [
            Route(
                "GET", "/health/deep",
                Contract(
                    .role(.viewer), "The state of each part",
                    "`ok`: it answered when it was last asked. `unknown`: this controller has not asked it.",
                    answers: [.json(200, "each part", .named("DeepHealth"))]),
                .ready(showDeepHealth))
        ]
    }

    private struct PartView: Encodable {
        var status: String
        var problem: String?
        var note: String?
        var askedAt: Timestamp?
    }

    func showDeepHealth(_ request: ServerRequest) throws -> ServerResponse {
        struct Health: Encodable {
            let status: String
            let role: String
            let parts: [String: PartView]
        }
        let state = operations.state
        let names = Set(["engine", "gateway", "store", "catalog", "host", "loop"]).union(state.problems.keys)
        var parts = names.reduce(into: [:]) { $0[$1] = Self.part($1, state) }
        let figures = audit.figures
        let trouble = figures.trouble ?? figures.problems.first.map { "not intact: \($0)" }
        parts["audit"] = PartView(status: trouble == nil ? "ok" : "troubled", problem: trouble)
        let isTroubled = parts.values.contains { $0.status == "troubled" }
        return .json(
            Health(status: isTroubled ? "troubled" : "healthy", role: state.leader == nil ? "leader" : "follower", parts: parts))
    }

    private static func part(_ name: String, _ state: OperatorState) -> PartView {
        let time = state.asked[name]
        if let problem = state.problems[name] { return PartView(status: "troubled", problem: problem, askedAt: time) }
        if let time { return PartView(status: "ok", askedAt: time) }
        let why =
            if let leader = state.leader {
                "not asked: controller \(leader) leads"
            } else if name == "host" {
                "not asked: no exit serves, nor has one died"
            } else {
                "not asked yet"
            }
        return PartView(status: "unknown", note: why)
    }
}
