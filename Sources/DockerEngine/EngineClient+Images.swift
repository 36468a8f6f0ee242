import HTTPTransport

extension EngineClient {
    /// GET /images/{name}/json: the image's id, or nil when the engine has no such image.
    package func imageID(_ name: String) async throws -> String? {
        struct Answer: Decodable { let id: String }
        do {
            return try await get("/images/\(escaped(name))/json", as: Answer.self, action: "looking for image \(name)").id
        } catch let error as EngineError where error.code == .notFound {
            return nil
        }
    }

    /// POST /images/create?fromSrc=-: makes an image of a root file system in a tar archive. The tag is in `repo`: Podman knows no other.
    package func importImage(_ name: String, archive: [UInt8], changes: [String]) async throws {
        let options = changes.map { "&changes=\(escaped($0))" }.joined()
        let path = "/images/create?fromSrc=-&repo=\(escaped(name))\(options)"
        try await followProgress(of: path, body: archive, action: "importing image \(name)") { _ in }
    }

    /// POST /images/create?fromImage=: pulls an image from its registry. `progress` gets the engine's own words.
    package func pullImage(_ name: String, progress: @Sendable (String) -> Void) async throws {
        let (repository, tag) = Self.split(name)
        let path = "/images/create?fromImage=\(escaped(repository))&tag=\(escaped(tag))"
        try await followProgress(of: path, body: nil, action: "pulling image \(name)", progress: progress)
    }

    /// DELETE /images/{name}. One that is gone is no error.
    package func removeImage(_ name: String) async throws {
        do {
            try await call("DELETE", "/images/\(escaped(name))?force=true", action: "removing image \(name)")
        } catch let error as EngineError where error.code == .notFound {}
    }

    /// The engine answers 200 before it knows: a failure is a line with `error` in the stream.
    private func followProgress(of path: String, body: [UInt8]?, action: String, progress: (String) -> Void) async throws {
        var lines = LineBuffer()
        do {
            for try await chunk in try await stream("POST", path, body: body, type: "application/x-tar", deadline: 600, action: action) {
                for line in lines.take(chunk) {
                    guard let step = try? EngineCoding.decode(ImageProgress.self, from: line) else { continue }
                    if let error = step.error { throw EngineError(code: .refused, action: action, message: String(error.prefix(500))) }
                    if let status = step.status { progress([status, step.progress ?? ""].joined(separator: " ")) }
                }
            }
        } catch let error as StreamRefused {
            _ = try Self.checked(error.response, action: action)
        } catch let error as TransportError {
            throw EngineError(code: error.code == .timedOut ? .timedOut : .unavailable, action: action, message: error.message)
        }
    }

    private struct ImageProgress: Decodable {
        let status: String?
        let progress: String?
        let error: String?
    }

    /// "host:5000/name:tag" as name and tag; the tag is "latest" where there is none.
    static func split(_ name: String) -> (repository: String, tag: String) {
        guard let colon = name.lastIndex(of: ":"), !name[colon...].contains("/") else { return (name, "latest") }
        return (String(name[..<colon]), String(name[name.index(after: colon)...]))
    }
}
