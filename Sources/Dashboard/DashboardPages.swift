/// The dashboard's pages: one for each module in `pages/`, at its own address.
package struct DashboardPages: Sendable {
    /// The names of the modules, in order.
    package let names: [String]

    /// - Parameter files: paths of embedded files.
    package init(files: [String] = DashboardFile.all.map(\.path)) {
        names =
            files.compactMap { path in
                let parts = path.split(separator: "/")
                // A page's own parts are in folders below.
                guard parts.count == 2, parts[0] == "pages", parts[1].hasSuffix(".js") else { return nil }
                return String(parts[1].dropLast(3))
            }.sorted()
    }

    /// The address of each page: `/exits` of `exits`; the overview's is `/`.
    package var paths: [String] { names.map(Self.path(of:)).sorted() }

    /// The address of one page.
    package static func path(of name: String) -> String { name == "overview" ? "/" : "/\(name)" }
}
