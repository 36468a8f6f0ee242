/// A text with placeholders, `{{name}}`, taken apart once. Pure.
struct TextTemplate: Sendable {
    private enum Part: Sendable {
        case text(String)
        /// A placeholder in a line.
        case value(String)
        /// One that fills a whole line, and may become many lines or none.
        case lines(String, indent: String)
    }

    private let parts: [Part]

    /// - Parameter lines: the names of placeholders that fill whole lines.
    init(_ text: String, lines: Set<String>) {
        var parts: [Part] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let bare = line.drop { $0 == " " }
            if let name = Self.onlyPlaceholder(of: bare), lines.contains(name) {
                parts.append(.lines(name, indent: String(line[..<bare.startIndex])))
            } else {
                parts += Self.parts(of: line)
            }
        }
        self.parts = parts
    }

    private static func onlyPlaceholder(of line: Substring) -> String? {
        line.hasPrefix("{{") && line.hasSuffix("}}") ? String(line.dropFirst(2).dropLast(2)) : nil
    }

    private static func parts(of line: Substring) -> [Part] {
        var (parts, rest) = ([Part](), line)
        while let start = rest.firstRange(of: "{{"), let end = rest[start.upperBound...].firstRange(of: "}}") {
            parts += [.text(String(rest[..<start.lowerBound])), .value(String(rest[start.upperBound..<end.lowerBound]))]
            rest = rest[end.upperBound...]
        }
        return parts + [.text(rest + "\n")]
    }

    /// The text with these values and lines; a placeholder of which nothing is known stays. Empty lines are left out.
    func filled(_ values: [String: String], lines: [String: [String]]) -> String {
        var result = ""
        for part in parts {
            switch part {
            case .text(let text): result += text
            case .value(let name): result += values[name] ?? "{{\(name)}}"
            case .lines(let name, let indent):
                for line in lines[name] ?? [] where !line.isEmpty { result += indent + line + "\n" }
            }
        }
        return result
    }
}
