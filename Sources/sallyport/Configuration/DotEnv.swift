import Platform

/// A file of variables, `.env` in the working directory: those that begin with `SALLYPORT_`, for which the environment has nothing.
enum DotEnv {
    static let file = ".env"

    /// The environment, with what the file adds to it.
    static func complete(_ environment: [String: String], from file: String = Self.file) throws -> [String: String] {
        guard Files.exists(file) else { return environment }
        let text: String
        do { text = try Files.readText(file) } catch { throw ConfigurationError(problems: ["\(error)"]) }
        return environment.merging(try variables(in: text)) { given, _ in given }
    }

    /// Lines of `NAME=value`; `#` begins a comment, a value may stand in quotes. Other programs' variables are passed over.
    static func variables(in text: String) throws -> [String: String] {
        var variables: [String: String] = [:]
        var problems: [String] = []
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            var line = trimmed(line)
            if line.hasPrefix("export ") { line = trimmed(line.dropFirst(7)) }
            guard line.hasPrefix("SALLYPORT_") else { continue }
            guard let equals = line.firstIndex(of: "=") else {
                problems.append("\(file): line \(number + 1): expected NAME=value")
                continue
            }
            let name = String(trimmed(line[..<equals]))
            guard let value = value(line[line.index(after: equals)...]) else {
                problems.append("\(file): line \(number + 1): \(name) has a quote that does not end, or something behind it")
                continue
            }
            if variables.updateValue(value, forKey: name) != nil {
                problems.append("\(file): line \(number + 1): \(name) is there twice")
            }
        }
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
        return variables
    }

    private static func value(_ text: Substring) -> String? {
        let text = trimmed(text)
        guard let quote = text.first, quote == "\"" || quote == "'" else {
            // A comment begins with a blank, so that a value may hold the sign.
            let end = text.indices.first { text[$0] == "#" && ($0 == text.startIndex || text[text.index(before: $0)].isWhitespace) }
            return String(trimmed(text[..<(end ?? text.endIndex)]))
        }
        guard let end = text.dropFirst().firstIndex(of: quote) else { return nil }
        let rest = trimmed(text[text.index(after: end)...])
        return rest.isEmpty || rest.hasPrefix("#") ? String(text[text.index(after: text.startIndex)..<end]) : nil
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop(while: \.isWhitespace)
        while text.last?.isWhitespace ?? false { text.removeLast() }
        return text
    }
}
