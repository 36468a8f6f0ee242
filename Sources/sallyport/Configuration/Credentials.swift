import Model
import Platform

/// What systemd hands to a service by `LoadCredential=`: a file that no other user may read, in a folder that ends with the service. A `_file`
/// setting names one as `credential:NAME`.
///
/// Source: systemd.exec(5), "Credentials"
struct Credentials {
    static let prefix = "credential:"

    /// Nil where the service has none.
    private let folder: String?

    init(_ environment: [String: String]) { folder = environment["CREDENTIALS_DIRECTORY"] }

    /// A configuration with paths in place of the names; each name that is none stays, and is a problem.
    func resolving(_ document: Document, _ problems: inout [String]) -> Document { resolving(document, at: "", &problems) }

    private func resolving(_ document: Document, at path: String, _ problems: inout [String]) -> Document {
        switch document {
        case .object(let fields):
            var resolved: [String: Document] = [:]
            for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
                resolved[name] = resolving(value, at: path.isEmpty ? name : "\(path).\(name)", &problems)
            }
            return .object(resolved)
        case .array(let items):
            return .array(items.enumerated().map { resolving($1, at: "\(path)[\($0)]", &problems) })
        case .string(let text) where text.hasPrefix(Self.prefix) && path.hasSuffix("_file"):
            do { return .string(try self.path(of: String(text.dropFirst(Self.prefix.count)))) } catch {
                problems.append("\(path): \(error)")
                return document
            }
        default: return document
        }
    }

    private struct Missing: Error, CustomStringConvertible {
        var description: String
    }

    private func path(of name: String) throws -> String {
        let isName = (1...255).contains(name.utf8.count) && name.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x2F }
        guard isName, name != ".", name != ".." else {
            throw Missing(description: "the credential's name is \(name.prefix(64)), expected one like nordvpn-token, without slashes")
        }
        let advice = "add LoadCredential=\(name):/path/of/the/file to the service"
        guard let folder else {
            throw Missing(
                description: "is the credential \(name), and systemd has given none (CREDENTIALS_DIRECTORY is not set); \(advice)")
        }
        guard Files.exists("\(folder)/\(name)") else {
            throw Missing(description: "there is no credential \(name) in \(folder); \(advice)")
        }
        return "\(folder)/\(name)"
    }
}
