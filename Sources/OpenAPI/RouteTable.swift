package import HTTPServing
import Synchronization

/// The table of routes, and what is made from it: the router and the OpenAPI document.
package final class RouteTable: Sendable {
    package let routes: [APIRoute]
    package let router: Router<Contract>
    package let document: WrittenDocument

    /// - Parameters:
    ///   - version: of the program, for the document.
    ///   - pages: routes that are served and are no part of the API: the dashboard's, and what leads to them.
    ///   - routes: gets the route of the document, and returns the whole table.
    package init(version: String, pages: [APIRoute] = [], _ routes: (_ document: APIRoute) -> [APIRoute]) {
        document = WrittenDocument(version: version)
        self.routes = routes(document.route)
        router = Router(self.routes + pages)
        document.describe(self.routes)
    }
}

/// The document, written from the table when it is asked for first. Thread-safe.
package final class WrittenDocument: Sendable {
    private let version: String
    private let state = Mutex<(table: [APIRoute], written: ServerResponse?)>(([], nil))

    init(version: String) { self.version = version }

    func describe(_ table: [APIRoute]) { state.withLock { $0 = (table, nil) } }

    package var response: ServerResponse {
        state.withLock { state in
            if let written = state.written { return written }
            let document = OpenAPIDocument.document(of: state.table, version: version)
            let made = ServerResponse(status: 200, headers: [("Content-Type", "application/json")], body: document.jsonBytes)
            state.written = made
            return made
        }
    }

    var route: APIRoute {
        Route(
            "GET", "/openapi.json", .open, "This API as an OpenAPI 3.1 document", answers: [.json(200, "the document", .anything)],
            .ready { _ in self.response })
    }
}
