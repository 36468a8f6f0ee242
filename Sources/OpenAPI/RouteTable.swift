package import HTTPServing
import Synchronization

/// The table of routes, and what is made from it: the router, the OpenAPI document and the pages.
package final class RouteTable: Sendable {
    package let routes: [APIRoute]
    package let router: Router<Contract>
    package let documents: WrittenDocuments

    /// - Parameters:
    ///   - version: of the program, for the document and the pages.
    ///   - pages: routes that are served and are no part of the API: those of the dashboard.
    ///   - routes: gets the routes of the document and the pages, and returns the whole table.
    package init(version: String, pages: [APIRoute] = [], _ routes: (_ documentation: [APIRoute]) -> [APIRoute]) {
        documents = WrittenDocuments(version: version)
        self.routes = routes(documents.routes)
        router = Router(self.routes + pages)
        documents.describe(self.routes)
    }
}

/// The document and the pages, written from the table when the first of them is asked for.
package final class WrittenDocuments: Sendable {
    private struct Written {
        let openAPI: ServerResponse
        let reference: String
        let manual: String
        let style: ServerResponse

        init(_ routes: [APIRoute], version: String) {
            func response(_ type: String, _ bytes: [UInt8]) -> ServerResponse {
                ServerResponse(status: 200, headers: [("Content-Type", type)], body: bytes)
            }
            openAPI = response("application/json", OpenAPIDocument.document(of: routes, version: version).jsonBytes)
            reference = Pages.reference(of: routes, version: version)
            manual = Pages.manual(of: routes, version: version)
            style = response("text/css; charset=utf-8", Array(Pages.style.utf8))
        }
    }

    private let version: String
    private let state = Mutex<(table: [APIRoute], written: Written?)>(([], nil))

    init(version: String) { self.version = version }

    func describe(_ table: [APIRoute]) { state.withLock { $0 = (table, nil) } }

    package var openAPI: ServerResponse { written.openAPI }

    private var written: Written {
        state.withLock { state in
            if let written = state.written { return written }
            let made = Written(state.table, version: version)
            state.written = made
            return made
        }
    }

    private static func page(_ written: String, _ request: ServerRequest) -> ServerResponse {
        let headers = [(name: "Content-Type", value: "text/html; charset=utf-8"), (name: "Vary", value: "X-Forwarded-Proto")]
        return ServerResponse(status: 200, headers: headers, body: Pages.page(written, askedBy: request))
    }

    var routes: [APIRoute] {
        [
            Route(
                "GET", "/openapi.json", .open, "This API as an OpenAPI 3.1 document", answers: [.json(200, "the document", .anything)],
                .ready { _ in self.written.openAPI }),
            Route(
                "GET", "/docs", .open, "This API as a reference page", answers: [.text("the page", "text/html")],
                .ready { Self.page(self.written.reference, $0) }),
            Route(
                "GET", "/redoc", .open, "This API as a page for reading", answers: [.text("the page", "text/html")],
                .ready { Self.page(self.written.manual, $0) }),
            Route(
                "GET", "/docs/style.css", .open, "The style sheet of these pages", answers: [.text("the style sheet", "text/css")],
                .ready { _ in self.written.style }),
        ]
    }
}
