/// Which modules import which, so that a page names all that it begins with at once: a browser that finds them one in another asks in turns.
package struct DashboardModules: Sendable {
    /// The modules that each module imports when it is loaded, by path. What it imports on demand is not among them.
    private let imports: [String: [String]]

    package init(files: [DashboardFile] = DashboardFile.all) {
        imports = Dictionary(
            uniqueKeysWithValues: files.filter { $0.path.hasSuffix(".js") }.map { file in
                (file.path, Self.imports(of: file.path, in: String(decoding: file.bytes, as: UTF8.self)))
            })
    }

    /// The modules that are needed when these are, themselves among them, by path. A path that is no module is left out.
    package func needed(by paths: [String]) -> [String] {
        var known: Set<String> = []
        var left = paths
        while let path = left.popLast() {
            guard let more = imports[path], known.insert(path).inserted else { continue }
            left += more
        }
        return known.sorted()
    }

    /// The paths in a module's `import` and `export ... from`, of which the formatter has put each on the last line of its statement.
    static func imports(of path: String, in text: String) -> [String] {
        text.split(separator: "\n").compactMap { line in
            guard ["import ", "export ", "} from "].contains(where: line.hasPrefix), line.hasSuffix("\";") else { return nil }
            let parts = line.split(separator: "\"")
            guard let name = parts.dropFirst().first, name.hasPrefix("."), line.contains("from \"") || parts[0] == "import " else {
                return nil
            }
            return resolved(name, from: path)
        }
    }

    /// `lib/dom.js` of `../lib/dom.js` in `pages/exits.js`.
    private static func resolved(_ name: Substring, from path: String) -> String {
        var place = path.split(separator: "/").dropLast()
        for part in name.split(separator: "/") where part != "." {
            if part == ".." { _ = place.popLast() } else { place.append(part) }
        }
        return place.joined(separator: "/")
    }
}
