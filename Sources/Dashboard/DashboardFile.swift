import FoundationEssentials

/// A file of the dashboard, as it is embedded into the program.
package struct DashboardFile: Sendable {
    /// Its path below `/assets/`: `lib/dom.js`.
    package let path: String
    package let mediaType: String
    package let bytes: [UInt8]

    /// All embedded files by path, but for the shell's page. They are decoded at the first use.
    package static let all: [DashboardFile] = embeddedFiles.filter { $0.path != shellPath }.compactMap { file($0.path, $0.base64) }

    /// The HTML page that every page's address answers.
    package static let shell: DashboardFile? = embeddedFiles.first { $0.path == shellPath }.flatMap { file($0.path, $0.base64) }

    private static let shellPath = "index.html"

    private static let mediaTypes = [
        "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
        "json": "application/json", "svg": "image/svg+xml", "png": "image/png", "woff2": "font/woff2",
    ]

    private static func file(_ path: String, _ base64: StaticString) -> DashboardFile? {
        let suffix = path.split(separator: ".").last.map(String.init) ?? ""
        guard let mediaType = mediaTypes[suffix] else { return nil }
        let text = base64.withUTF8Buffer { Data($0) }
        guard let bytes = Data(base64Encoded: text) else { return nil }
        return DashboardFile(path: path, mediaType: mediaType, bytes: [UInt8](bytes))
    }
}
