import Model
import Platform

/// Where the values of settings come from.
struct Origins: Sendable {
    /// The file's name, and the settings that it has a value for; nil where none was named. No value is kept: some are secrets.
    private let file: (name: String, settings: Set<String>)?
    private let environment: Set<String>
    /// Those among the variables that `.env` has added.
    private let added: Set<String>

    static let standard = "default"
    /// The file that was read; nil for none.
    var fileName: String? { file?.name }

    init(file: String?, content: Document, environment: [String: String]) {
        self.file = file.map { ($0, Self.settings(in: content, "")) }
        self.environment = Set(environment.keys)
        added = self.environment.subtracting(ProcessEnvironment.values().keys)
    }

    /// The variable, the file, or `default`. A secret may come from the file that `<name>_file` names.
    func origin(of name: String) -> String {
        // A list is one value of the file.
        let name = name.firstRange(of: ".accounts.").map { "\(name[..<$0.lowerBound]).accounts" } ?? name
        for name in [name, "\(name)_file"] {
            let variable = Configuration.variable(name)
            if environment.contains(variable) { return added.contains(variable) ? "\(variable) in \(DotEnv.file)" : variable }
            if let file, file.settings.contains(name) { return file.name }
        }
        if name == "docker.host", environment.contains("DOCKER_HOST") { return "DOCKER_HOST" }
        return Self.standard
    }

    /// The names of all values in a document, and of the sections that they are in.
    private static func settings(in document: Document, _ name: String) -> Set<String> {
        guard case .object(let fields) = document else { return document == .null ? [] : [name] }
        return fields.reduce(into: [name]) { $0.formUnion(settings(in: $1.value, name.isEmpty ? $1.key : "\(name).\($1.key)")) }
    }
}
