/// The HTML page that the pages' addresses answer, with the modules that each begins with.
package struct DashboardShell: Sendable {
    private let pages: DashboardPages
    private let modules: DashboardModules
    private let html: String

    package init(pages: DashboardPages = DashboardPages(), modules: DashboardModules = DashboardModules()) {
        self.pages = pages
        self.modules = modules
        html = String(decoding: DashboardFile.shell?.bytes ?? [], as: UTF8.self)
    }

    /// The HTML for a page: the frame's modules, each page's entry in the navigation, and this page's view are asked for at once.
    package func html(for name: String) -> String {
        let first = ["app.js", "pages/\(name)/view.js"] + pages.names.map { "pages/\($0).js" }
        let links = modules.needed(by: first).map { "<link rel=\"modulepreload\" href=\"/assets/\($0)\">\n" }
        return html.replacing("</head>", with: links.joined() + "</head>", maxReplacements: 1)
    }
}
