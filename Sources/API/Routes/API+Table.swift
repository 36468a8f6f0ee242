import HTTPServing
import Model

/// The table of routes. Each file of `Routes` has the lines of its subject, and the handlers below them.
extension API {
    var routes: [APIRoute] {
        kept {
            let subjects = [
                systemRoutes,
                exitRoutes,
                watchRoutes,
                speedTestRoutes,
                poolRoutes,
                catalogRoutes,
                userRoutes,
                keyRoutes,
                auditRoutes,
                streamRoutes,
                webhookRoutes,
                healthRoutes,
                figureRoutes,
                adminRoutes,
                entryRoutes,
                settingRoutes,
                limitRoutes,
            ]
            return subjects.flatMap { $0 }
        }
    }
}

/// The API about itself, and about the process.
extension API {
    var systemRoutes: [APIRoute] {
        [
            Route(
                "GET", "/health/live",
                Contract(
                    .open, "Says that the process answers", answers: [.json(200, "the process answers", .named("Live"))], limit: .none),
                .ready { _ in .json(["status": "live"]) }),
            Route(
                "GET", "/health",
                Contract(.open, "The same as /health/live", answers: [.json(200, "the process answers", .named("Live"))], limit: .none),
                .ready { _ in .json(["status": "live"]) }),
            Route(
                "GET", "/health/ready",
                Contract(
                    .open, "Says which outside parts don't answer",
                    answers: [
                        .json(200, "all parts answer", .named("Readiness")),
                        .json(
                            503, "some parts don't answer", .named("Readiness"),
                            showing: [
                                "status": .string("not_ready"), "problems": .object(["engine": .string("no Docker Engine answers")]),
                            ]),
                    ], limit: .none),
                .ready { _ in self.ready() }),
            Route(
                "GET", "/openapi.json",
                Contract(.open, "This API as an OpenAPI 3.1 document", answers: [.json(200, "the document", .anything)]),
                .ready { _ in self.documents.openAPI }),
            Route(
                "GET", "/docs", Contract(.open, "This API as a page to look things up in", answers: [.text("the page", "text/html")]),
                .ready { _ in self.documents.reference }),
            Route(
                "GET", "/redoc", Contract(.open, "This API as a page to read", answers: [.text("the page", "text/html")]),
                .ready { _ in self.documents.manual }),
            Route(
                "GET", "/docs/style.css", Contract(.open, "How the pages look", answers: [.text("the style sheet", "text/css")]),
                .ready { _ in self.documents.style }),
        ]
    }

    private func ready() -> ServerResponse {
        struct Body: Encodable {
            let status: String
            let problems: [String: String]
            let role: String
            let leader: String?
        }
        let state = operations.state
        let isReady = state.problems.isEmpty
        let body = Body(
            status: isReady ? "ready" : "not_ready", problems: state.problems, role: state.leader == nil ? "leader" : "follower",
            leader: state.leader)
        return .json(body, status: isReady ? 200 : 503)
    }
}

/// What is written from the table, once.
struct WrittenDocuments: Sendable {
    let openAPI: ServerResponse
    let reference: ServerResponse
    let manual: ServerResponse
    let style: ServerResponse

    init(_ routes: [APIRoute], version: String) {
        func response(_ type: String, _ bytes: [UInt8]) -> ServerResponse {
            ServerResponse(status: 200, headers: [("Content-Type", type)], body: bytes)
        }
        openAPI = response("application/json", OpenAPI.encoded(OpenAPI.document(of: routes, version: version)))
        reference = response("text/html; charset=utf-8", Pages.reference(of: routes, version: version))
        manual = response("text/html; charset=utf-8", Pages.manual(of: routes, version: version))
        style = response("text/css; charset=utf-8", Array(Pages.style.utf8))
    }
}
