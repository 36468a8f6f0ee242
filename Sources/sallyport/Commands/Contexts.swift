import Model
import Platform

/// Controllers by name, in `~/.config/sallyport/config.yaml` (or `$XDG_CONFIG_HOME/sallyport/config.yaml`):
///
///     current: prod
///     contexts:
///       prod: {api: "https://vpn.example", key_file: ~/.config/sallyport/prod.key}
struct Contexts: Sendable, Equatable {
    struct Place: Sendable, Equatable {
        var api: String?
        var keyFile: String?
    }

    var current: String?
    var places: [String: Place] = [:]

    /// The file's path; nil where nobody knows where the user's files are.
    static func path(_ environment: [String: String]) -> String? {
        if let folder = environment["XDG_CONFIG_HOME"], folder.hasPrefix("/") { return "\(folder)/sallyport/config.yaml" }
        guard let home = environment["HOME"], home.hasPrefix("/") else { return nil }
        return "\(home)/.config/sallyport/config.yaml"
    }

    static func isName(_ text: String) -> Bool {
        (1...40).contains(text.count) && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
    }

    // MARK: - The file

    /// What the file has; nothing where there is none.
    static func read(_ path: String) throws -> Contexts {
        guard Files.exists(path) else { return Contexts() }
        let document: Document
        do { document = try YAML.parse(try Files.readText(path, limit: 1 << 16)) } catch { throw UsageError(message: "\(path): \(error)") }
        return try Contexts(document, path)
    }

    private init() {}

    private init(_ document: Document, _ path: String) throws {
        if case .null = document { return }
        guard case .object(let fields) = document else { throw UsageError(message: "\(path): expected current and contexts") }
        if let field = fields.keys.sorted().first(where: { $0 != "current" && $0 != "contexts" }) {
            throw UsageError(message: "\(path): no such field \(field), expected current and contexts")
        }
        current = try Self.text(fields["current"], "current", path)
        guard let contexts = fields["contexts"], contexts != .null else { return }
        guard case .object(let named) = contexts else {
            throw UsageError(message: "\(path): contexts: expected names, each with api and key_file")
        }
        for (name, value) in named {
            guard Self.isName(name) else { throw UsageError(message: "\(path): '\(name)' is not a context's name, \(Self.nameForm)") }
            guard case .object(let fields) = value, fields.keys.allSatisfy({ $0 == "api" || $0 == "key_file" }) else {
                throw UsageError(message: "\(path): contexts.\(name): expected api and key_file")
            }
            places[name] = Place(
                api: try Self.text(fields["api"], "contexts.\(name).api", path),
                keyFile: try Self.text(fields["key_file"], "contexts.\(name).key_file", path))
        }
    }

    static let nameForm = "expected 1 to 40 letters, digits, - and _"

    private static func text(_ value: Document?, _ field: String, _ path: String) throws -> String? {
        switch value {
        case nil, .null?: nil
        case .string(let text)?: text
        default: throw UsageError(message: "\(path): \(field): expected a text")
        }
    }

    /// The file's new content. Comments in it are not kept.
    var yaml: String {
        var lines = current.map { ["current: \($0)"] } ?? []
        if !places.isEmpty { lines.append("contexts:") }
        for (name, place) in places.sorted(by: { $0.key < $1.key }) {
            lines.append("  \(name):")
            if let api = place.api { lines.append("    api: \(Self.quoted(api))") }
            if let file = place.keyFile { lines.append("    key_file: \(Self.quoted(file))") }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func quoted(_ text: String) -> String { "'\(text.replacing("'", with: "''"))'" }

    func write(to path: String) throws {
        try Files.makePrivateFolder(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
        try Files.write(yaml, to: path, mode: 0o600)
    }

    // MARK: - What is meant

    /// The context of this name, or the current one; nil where there is none.
    func place(named name: String?) throws -> Place? {
        guard let name = name ?? current else { return nil }
        guard let place = places[name] else {
            let known = places.keys.sorted()
            let list = known.isEmpty ? "there is none; `sallyport context add` makes one" : "there are \(known.joined(separator: ", "))"
            throw UsageError(message: "there is no context \(name): \(list)\(Suggestion.words(for: name, among: known))")
        }
        return place
    }
}
