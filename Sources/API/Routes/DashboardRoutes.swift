import Dashboard
import HTTPServing
import OpenAPI
import RequestPipeline

/// The dashboard: its pages' addresses and its files. They are open; what the pages show, they ask the API for.
struct DashboardRoutes: RouteGroup {
    /// Folders that a file may be in, one in another.
    private static let depth = 3

    /// One for the process: the files are compressed once.
    static let shared = DashboardRoutes()

    private let pages = DashboardPages()
    /// Answers by segments of the path below `/assets/`, each tagged and compressed once.
    private let files: [[String]: ServerResponse]
    /// What each page's address answers, by address.
    private let shells: [String: ServerResponse]

    private init() {
        var files: [[String]: ServerResponse] = [:]
        for file in DashboardFile.all {
            files[file.path.split(separator: "/").map(String.init)] = Self.response(file.mediaType, file.bytes)
        }
        files[["pages.json"]] = Self.response("application/json", ServerResponse.json(["pages": pages.names]).body)
        self.files = files
        let shell = DashboardShell(pages: pages)
        shells = Dictionary(uniqueKeysWithValues: pages.names.map { (DashboardPages.path(of: $0), Self.page(shell.html(for: $0))) })
    }

    var routes: [APIRoute] {
        let page = Contract(.open, "A page of the dashboard", answers: [.text("the page", "text/html")], takesAnyQuery: true)
        let file = Contract(.open, "A file of the dashboard", answers: [.text("the file", "*/*")])
        let names = (1...Self.depth).map { "{\($0)}" }
        return shells.sorted { $0.key < $1.key }.map { path, shell in Route("GET", path, page, .ready { _ in shell }) }
            + (0...Self.depth).map { depth in
                Route("GET", (["/assets"] + names.prefix(depth) + ["{file}"]).joined(separator: "/"), file, .ready(showFile))
            }
    }

    func showFile(_ request: ServerRequest) throws -> ServerResponse {
        guard let response = files[Array(request.path.dropFirst())] else { throw APIProblem.notFound("such file") }
        return response
    }

    private static func page(_ html: String) -> ServerResponse {
        var response = response("text/html; charset=utf-8", Array(html.utf8))
        response.constant = SecurityHeaders.dashboard
        return response
    }

    private static func response(_ mediaType: String, _ bytes: [UInt8]) -> ServerResponse {
        var response = ServerResponse(status: 200, headers: [("Content-Type", mediaType)], body: bytes)
        response.prepare()
        return response
    }
}
