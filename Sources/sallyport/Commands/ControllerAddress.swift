import Model
import Platform

/// Where the controller is, and the key for it: by options, variables, the context, or as in a clone of the project or on
/// a machine with the package, in this order.
struct ControllerAddress: Sendable {
    var url: String
    var key: Secret

    static let variables = [
        ("SALLYPORT_API", "the controller's API, for commands without --api"),
        ("SALLYPORT_KEY", "an API key; a file is better: others may see a process's variables"),
        ("SALLYPORT_KEY_FILE", "the file with an API key, for commands without --key-file"),
    ]

    private static let usualAPI = "http://127.0.0.1:8080"
    /// That of a clone where there is one, else that of the package.
    private static var usualKeyFile: String {
        let files = [".run/admin.key", "/var/lib/sallyport/admin.key"]
        return files.first(where: Files.exists) ?? files[0]
    }

    init(_ arguments: Arguments, environment: [String: String]) throws {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let place = try Self.context(arguments, environment)
        // A context that is named counts more than what the shell has for all commands.
        let named = arguments["context"] == nil ? nil : place
        let addresses = [
            (arguments["api"], "--api"), (named?.api, "the context's api"), (variable("SALLYPORT_API"), "SALLYPORT_API"),
            (place?.api, "the context's api"),
        ]
        let (api, field) = addresses.lazy.compactMap { text, field in text.map { ($0, field) } }.first ?? (Self.usualAPI, "--api")
        url = try Self.address(api, field)
        if let file = arguments["key-file"] ?? named?.keyFile {
            key = try Self.key(in: file, environment)
        } else if let text = variable("SALLYPORT_KEY") {
            key = Secret(OperatorText.bare(text))
        } else {
            key = try Self.key(in: variable("SALLYPORT_KEY_FILE") ?? place?.keyFile ?? Self.usualKeyFile, environment)
        }
    }

    private static func context(_ arguments: Arguments, _ environment: [String: String]) throws -> Contexts.Place? {
        guard let path = Contexts.path(environment) else {
            if let name = arguments["context"] { throw UsageError(message: "there is no context \(name): HOME is not set") }
            return nil
        }
        return try Contexts.read(path).place(named: arguments["context"])
    }

    private static func key(in path: String, _ environment: [String: String]) throws -> Secret {
        let home = environment["HOME"] ?? ""
        let path = path.hasPrefix("~/") ? home + path.dropFirst(1) : path
        do { return Secret(OperatorText.bare(try Files.readText(path, limit: 4096))) } catch {
            throw UsageError(
                message: "\(error); name the file with an API key with --key-file, SALLYPORT_KEY_FILE or `sallyport context add`")
        }
    }

    /// The API's address without a slash at its end; without a scheme it is plain HTTP.
    /// - Parameter field: what is to be named where it is none.
    static func address(_ text: String, _ field: String) throws -> String {
        var address = text.filter { !$0.isWhitespace }
        if !address.contains("://") { address = "http://" + address }
        while address.hasSuffix("/") { address.removeLast() }
        let (scheme, rest) = (address.prefix { $0 != ":" }.lowercased(), address.drop { $0 != ":" }.dropFirst(3))
        guard ["http", "https"].contains(scheme), !rest.isEmpty, !rest.contains(where: { "?#@".contains($0) }) else {
            throw UsageError(message: "\(field) is \(text), expected an address like http://127.0.0.1:8080")
        }
        return "\(scheme)://\(rest)"
    }
}
