import HTTPServing
import Model

/// The pages about the API, written from its table: whole in themselves, without scripts and without the internet.
enum Pages {
    /// A list to look things up in: each route folds out.
    static func reference(of routes: [APIRoute], version: String) -> String {
        var text = "<nav>"
        let tags = Set(routes.map(\.tag)).sorted()
        for tag in tags { text += "<a href=\"#\(escaped(tag))\">\(escaped(tag))</a> " }
        text += "</nav>"
        for tag in tags {
            text += "<h2 id=\"\(escaped(tag))\">\(escaped(tag))</h2>"
            for route in routes where route.tag == tag {
                text += "<details id=\"\(route.operationID)\"><summary>\(title(route))</summary>\(particulars(route))</details>"
            }
        }
        return page("Sallyport API", version, text)
    }

    /// Everything in one go, with an example beside each route.
    static func manual(of routes: [APIRoute], version: String) -> String {
        var text = "<nav class=\"side\">"
        for route in routes { text += "<a href=\"#\(route.operationID)\">\(route.method) \(escaped(route.pattern))</a>" }
        text += "</nav><main>"
        for route in routes {
            text += "<section id=\"\(route.operationID)\"><h2>\(title(route))</h2>\(particulars(route))</section>"
        }
        return page("Sallyport API manual", version, text + "</main>")
    }

    /// Stands for the origin in a page that is written once; no text of the API has it.
    private static let originMark = "\u{1}"

    /// A page whose commands name the origin that its reader asked.
    static func page(_ written: String, askedBy request: ServerRequest) -> [UInt8] {
        Array(written.replacing(originMark, with: escaped(origin(of: request))).utf8)
    }

    /// Of `Host` and `X-Forwarded-Proto`; that of the default settings where `Host` is absent or no host.
    static func origin(of request: ServerRequest) -> String {
        let scheme = request.headers["x-forwarded-proto"] == "https" ? "https" : "http"
        guard let host = request.headers["host"], (1...255).contains(host.utf8.count), host.utf8.allSatisfy(isOfHost) else {
            return "http://127.0.0.1:8080"
        }
        return "\(scheme)://\(host)"
    }

    /// Letters, digits and `-.:[]`: names, addresses and ports, and nothing that a shell reads in another way outside of brackets.
    private static func isOfHost(_ byte: UInt8) -> Bool {
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || 0x30...0x3A ~= byte || [0x2D, 0x2E, 0x5B, 0x5D].contains(byte)
    }

    // MARK: - Parts

    private static func title(_ route: APIRoute) -> String {
        let role = if case .role(let role) = route.access.access { role.rawValue } else { "open" }
        return
            "<b class=\"\(route.method)\">\(route.method)</b> <code>\(escaped(route.pattern))</code> \(escaped(route.access.summary)) <i>\(role)</i>"
    }

    private static func particulars(_ route: APIRoute) -> String {
        let contract = route.access
        var text = contract.details.isEmpty ? "" : "<p>\(escaped(contract.details))</p>"
        let placeholders = route.placeholders.compactMap { name in Placeholder.all[name].map { (name, "path", $0.about, $0.schema) } }
        let parameters = placeholders + contract.query.map { ($0.name, "query", $0.about, $0.schema) }
        if !parameters.isEmpty {
            text += "<table><tr><th>parameter</th><th>in</th><th>what</th></tr>"
            for (name, place, about, schema) in parameters {
                text +=
                    "<tr><td><code>\(escaped(name))</code></td><td>\(place)</td><td>\(escaped(about))\(escaped(range(schema)))</td></tr>"
            }
            text += "</table>"
        }
        text += "<p>Try it</p><pre>\(escaped(command(route)))</pre>"
        if let body = route.exampleBody, contract.body != nil {
            text += "<p>Body</p>\(fields(contract.body?.schema))<pre>\(json(body))</pre>"
        }
        for answer in contract.answers {
            text += "<p><b>\(answer.status)</b> \(escaped(answer.about))</p>"
            if let example = answer.example { text += "<pre>\(json(example))</pre>" }
        }
        let problems = route.problemStatuses.map { "\($0) \(ProblemStatus.words[$0]?.about ?? "")" }
        return text + "<p class=\"problems\">Problems: \(escaped(problems.joined(separator: "; "))).</p>"
    }

    private static func fields(_ schema: Schema?) -> String {
        guard case .object(let fields)? = schema?.kind else { return "" }
        var text = "<table><tr><th>field</th><th></th><th>what</th></tr>"
        for field in fields {
            text += "<tr><td><code>\(escaped(field.name))</code></td><td>\(field.isRequired ? "required" : "")</td>"
            text += "<td>\(escaped(field.about))\(escaped(range(field.schema)))</td></tr>"
        }
        return text + "</table>"
    }

    private static func range(_ schema: Schema) -> String {
        switch schema.kind {
        case .nullable(let schema): range(schema)
        case .integer(let range) where range.upperBound < 1_000_000_000: " (\(range.lowerBound) to \(range.upperBound))"
        case .number(let range) where range.upperBound < 1e9: " (\(range.lowerBound) to \(range.upperBound))"
        case .string(let choices, _, _, _) where (1...40).contains(choices.count): " (\(choices.joined(separator: ", ")))"
        default: ""
        }
    }

    private static func command(_ route: APIRoute) -> String {
        var text = "curl"
        if route.method != "GET" { text += " -X \(route.method)" }
        if route.access.access != .open { text += " -H \"X-API-Key: $(cat .run/admin.key)\"" }
        if let body = route.exampleBody {
            text += " -H 'Content-Type: application/json' -d '\(body.jsonText)'"
        }
        return text + " \(originMark)\(route.exampleTarget)"
    }

    private static func json(_ document: Document) -> String { escaped(document.jsonText) }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;").replacing("\"", with: "&quot;")
    }

    private static func page(_ title: String, _ version: String, _ body: String) -> String {
        """
        <!doctype html><html lang="en"><head><meta charset="utf-8"><title>\(title)</title>
        <meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/docs/style.css"></head>
        <body><header><h1>\(title)</h1><p>Version \(escaped(version)). The same as <a href="/openapi.json">OpenAPI 3.1</a>,
        as <a href="/docs">a list</a>, as <a href="/redoc">a manual</a>.</p></header>\(body)</body></html>

        """
    }

    static let style = """
        body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:0 auto;padding:1rem;color:#1c2733;background:#fff}
        code,pre{font:13px/1.45 ui-monospace,monospace}pre{background:#f2f5f8;padding:.6rem;overflow-x:auto;white-space:pre-wrap;word-break:break-all}
        summary{cursor:pointer;padding:.25rem 0}details{border-bottom:1px solid #e3e8ee}i{color:#5b6b7b;font-size:.85em}
        b{display:inline-block;min-width:4.2rem}b.GET{color:#0b63b5}b.POST{color:#107a3d}b.PUT,b.PATCH{color:#9a5b00}b.DELETE{color:#b3261e}
        table{border-collapse:collapse;margin:.5rem 0}td,th{border:1px solid #dde4eb;padding:.2rem .6rem;text-align:left;vertical-align:top}
        nav a{margin-right:.6rem}nav.side{columns:3;font-size:.85em}nav.side a{display:block}.problems{color:#5b6b7b;font-size:.85em}
        @media(prefers-color-scheme:dark){body{background:#12181f;color:#dbe3ea}pre{background:#1b242e}td,th,details{border-color:#2c3946}a{color:#7fb8f0}}

        """
}
