import Glibc
import Platform

/// The engine's socket where nobody has named one: that of the `docker` command's context, else the machine's. An engine that the user runs
/// without root is told apart: its exits are in a network of its own, which this machine does not reach.
struct EngineAddress {
    static let standard = "unix:///var/run/docker.sock"

    var host: String
    /// Where it comes from, for `sallyport config`; nil for the standard socket.
    var origin: String?

    /// - Throws: `Refused` where the context leads to what is no Unix socket, or where the only engine is one without root.
    static func found(_ environment: [String: String]) throws -> EngineAddress {
        let folders = ["/run/user/\(geteuid())", environment["XDG_RUNTIME_DIR"]].compactMap(\.self).filter { $0.hasPrefix("/") }
        if let context = DockerContext.current(environment) {
            let host = try context.socket()
            guard !folders.contains(where: { host.hasPrefix("unix://\($0)/") }) else { throw rootless(host) }
            return EngineAddress(host: host, origin: "Docker's context \(context.name)")
        }
        if isSocket(String(standard.dropFirst("unix://".count))) { return EngineAddress(host: standard) }
        if let own = folders.map({ "\($0)/docker.sock" }).first(where: isSocket) { throw rootless("unix://\(own)") }
        return EngineAddress(host: standard)
    }

    private static func rootless(_ host: String) -> Refused {
        Refused(
            description:
                "found \(host.prefix(200)), an engine without root, whose exits this machine can't reach; expected the socket of an "
                + "engine that runs as root, or docker.host set where the controller runs in that engine's own network")
    }

    struct Refused: Error, CustomStringConvertible {
        var description: String
    }

    static func isSocket(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }

    /// Whoever follows a context does not follow it to another engine while there may be exits on the one before.
    /// - Parameter file: where the engine that was used last is written down.
    /// - Throws: `StartError`.
    static func settle(_ docker: Configuration.DockerSettings, in file: String) throws {
        let before = (try? Files.read(file, limit: 1024))?.filter { !$0.isNewline }
        if let before, before != docker.host, docker.isFound, isSocket(String(before.dropFirst("unix://".count))) {
            throw StartError(
                message:
                    "the engine found is \(docker.host) (\(docker.origin ?? "the standard socket")), and exits may be left on \(before), "
                    + "which was used before: set docker.host to one of the two")
        }
        if before != docker.host { try Files.write(docker.host + "\n", to: file, mode: 0o600) }
    }
}
