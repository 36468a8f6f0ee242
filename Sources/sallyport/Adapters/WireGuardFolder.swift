import Glibc
import Model
import Platform
import WireGuardFiles

/// Reads a folder of WireGuard files. It blocks; nothing in the folder is ever written or run.
enum WireGuardFolder {
    /// Bytes of a file, and files of a folder, that are read.
    private static let fileLimit = 65_536
    static let countLimit = 2_000

    /// What a tunnel has where its file says nothing: Quad9's resolvers, which anybody may ask.
    static let standard = TunnelFacts(clientAddress: "", dns: ["9.9.9.9", "149.112.112.112"], mtu: 1380, keepalive: 25)

    /// The names that end in `.conf`, in order; hidden ones, which editors leave for a moment, are none.
    static func names(in folder: String) throws -> [String] {
        let names = try Files.list(folder).filter { $0.lowercased().hasSuffix(".conf") && !$0.hasPrefix(".") }
        guard names.count <= countLimit else {
            throw WireGuardFolderError(message: "\(folder) has \(names.count) files, and \(countLimit) at most are read")
        }
        return names
    }

    static func text(of name: String, in folder: String) throws -> String {
        let path = "\(folder)/\(name)"
        var status = stat()
        // A pipe would be waited for.
        if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            throw WireGuardFolderError(message: "\(path) is no file, but a folder, a pipe or a device")
        }
        return try Files.readText(path, limit: fileLimit)
    }

    /// The list beside the files; an empty one where there is none.
    static func places(in folder: String) -> NamedPlaces {
        guard Files.exists("\(folder)/\(NamedPlaces.file)") else { return NamedPlaces() }
        do { return NamedPlaces(try YAML.parse(try text(of: NamedPlaces.file, in: folder))) } catch {
            return NamedPlaces(problem: "can't be read: \(error)")
        }
    }
}

/// A folder of WireGuard files that can't be used.
struct WireGuardFolderError: Error, CustomStringConvertible {
    var message: String
    var description: String { message }
}
