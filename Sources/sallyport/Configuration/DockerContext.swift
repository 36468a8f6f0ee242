import Model
import Platform

/// The context that the `docker` command uses, where that is another engine than the standard socket's.
struct DockerContext {
    var name: String
    /// Where its engine is, as `DOCKER_HOST`; nil where that can't be read.
    var host: String?

    /// Nil where the standard socket is what `docker` uses too.
    ///
    /// Source: https://docs.docker.com/engine/manage-resources/contexts/
    static func current(_ environment: [String: String]) -> DockerContext? {
        let folder = environment["DOCKER_CONFIG"].nonEmpty ?? environment["HOME"].nonEmpty.map { "\($0)/.docker" }
        let chosen = folder.flatMap { text(["currentContext"], in: "\($0)/config.json") }
        guard let name = environment["DOCKER_CONTEXT"].nonEmpty ?? chosen.nonEmpty, name != "default" else { return nil }
        let file = folder.map { "\($0)/contexts/meta/\(Digest.sha256(name))/meta.json" }
        return DockerContext(name: String(name.prefix(64)), host: file.flatMap { text(["Endpoints", "docker", "Host"], in: $0) })
    }

    /// Its engine's socket.
    /// - Throws: `EngineAddress.Refused`, with what to do.
    func socket() throws -> String {
        guard let host else {
            throw EngineAddress.Refused(description: "Docker's context '\(name)' is not known here, expected the socket of its engine")
        }
        guard host.hasPrefix("unix://") else {
            throw EngineAddress.Refused(
                description: "Docker's context '\(name)' leads to \(host.prefix(200)), expected a Unix socket: run the controller there")
        }
        return host
    }

    private static func text(_ path: [String], in file: String) -> String? {
        guard let text = try? Files.readText(file), var value = try? Document(json: Array(text.utf8)) else { return nil }
        for name in path {
            guard case .object(let fields) = value, let next = fields[name] else { return nil }
            value = next
        }
        guard case .string(let text) = value else { return nil }
        return text
    }
}

extension String? {
    fileprivate var nonEmpty: String? { self?.isEmpty ?? true ? nil : self }
}
