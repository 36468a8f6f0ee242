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
    /// What each page's address answers.
    private let shell: ServerResponse

    private init() {
        var files: [[String]: ServerResponse] = [:]
        for file in DashboardFile.all {
            files[file.path.split(separator: "/").map(String.init)] = Self.response(file.mediaType, file.bytes)
        }
        files[["pages.json"]] = Self.response("application/json", ServerResponse.json(["pages": pages.names]).body)
        self.files = files
        var shell = Self.response(DashboardFile.shell?.mediaType ?? "text/html", DashboardFile.shell?.bytes ?? [])
        shell.constant = SecurityHeaders.dashboard
        self.shell = shell
    }

    var routes: [APIRoute] {
        let page = Contract(.open, "A page of the dashboard", answers: [.text("the page", "text/html")])
        let file = Contract(.open, "A file of the dashboard", answers: [.text("the file", "*/*")])
        let names = (1...Self.depth).map { "{\($0)}" }
        return pages.paths.map { Route("GET", $0, page, .ready { _ in shell }) }
            + (0...Self.depth).map { depth in
                Route("GET", (["/assets"] + names.prefix(depth) + ["{file}"]).joined(separator: "/"), file, .ready(showFile))
            }
    }

    func showFile(_ request: ServerRequest) throws -> ServerResponse {
        guard let response = files[Array(request.path.dropFirst())] else { throw APIProblem.notFound("such file") }
        return response
    }

    private static func response(_ mediaType: String, _ bytes: [UInt8]) -> ServerResponse {
        var response = ServerResponse(status: 200, headers: [("Content-Type", mediaType)], body: bytes)
        response.prepare()
        return response
    }
}
