import FoundationEssentials
import HTTPTransport
import Synchronization

extension EngineClient {
    /// POST /containers/create: returns the container's id.
    @discardableResult
    package func createContainer(name: String, _ specification: ContainerCreate) async throws -> String {
        struct Answer: Decodable { let id: String }
        let action = "creating container \(name)"
        let response = try await call("POST", "/containers/create?name=\(escaped(name))", json: specification, action: action)
        return try Self.decode(Answer.self, response, action: action).id
    }

    /// POST /containers/{id}/start. A container that runs already is no error.
    package func startContainer(_ id: String) async throws {
        do {
            try await call("POST", "/containers/\(escaped(id))/start", deadline: 30, action: "starting container \(id)")
        } catch let error as EngineError where error.code == .conflict {}
    }

    /// POST /containers/{id}/stop: SIGTERM, then SIGKILL after `grace` seconds. One that has ended is no error.
    package func stopContainer(_ id: String, grace: Int) async throws {
        do {
            try await call(
                "POST", "/containers/\(escaped(id))/stop?t=\(grace)", deadline: Double(grace) + 15, action: "stopping container \(id)")
        } catch let error as EngineError where error.code == .conflict {}
    }

    /// POST /containers/{id}/kill
    package func killContainer(_ id: String) async throws {
        try await call("POST", "/containers/\(escaped(id))/kill", action: "killing container \(id)")
    }

    /// DELETE /containers/{id} with its anonymous volumes, running or not. One that is gone, or going, is no error.
    package func removeContainer(_ id: String) async throws {
        do {
            try await call(
                "DELETE", "/containers/\(escaped(id))?force=true&v=true", deadline: 30, action: "removing container \(id)")
        } catch let error as EngineError where error.code == .notFound || error.code == .conflict {}
    }

    /// GET /containers/{id}/json
    package func inspectContainer(_ id: String) async throws -> ContainerDetails {
        try await get("/containers/\(escaped(id))/json", as: ContainerDetails.self, action: "inspecting container \(id)")
    }

    /// GET /containers/json: running or not, with all of these labels ("key=value").
    package func listContainers(labels: [String]) async throws -> [ContainerSummary] {
        let filters = try String(decoding: JSONEncoder().encode(["label": labels]), as: UTF8.self)
        let action = "listing containers"
        let response = try await call("GET", "/containers/json?all=true&filters=\(escaped(filters))", deadline: 4, action: action)
        // Asked each second, it nearly always says the same, and reading it is most of what that costs.
        if let known = lastList.withLock({ $0?.body == response.body ? $0?.containers : nil }) { return known }
        let containers = try Self.decode([ContainerSummary].self, response, action: action)
        lastList.withLock { $0 = (response.body, containers) }
        return containers
    }

    /// PUT /containers/{id}/archive: unpacks files into a folder of the container, started or not.
    package func upload(_ files: [TarFile], to folder: String, of id: String) async throws {
        try await upload(TarArchive.bytes(of: files), to: folder, of: id)
    }

    package func upload(_ archive: [UInt8], to folder: String, of id: String) async throws {
        try await call(
            "PUT", "/containers/\(escaped(id))/archive?path=\(escaped(folder))", body: archive,
            type: "application/x-tar", action: "uploading configuration to container \(id)")
    }

    /// GET /containers/{id}/logs: stdout and stderr together, the last `lines` lines, at most 256 KiB.
    package func logs(of id: String, lines: Int) async throws -> String {
        let response = try await call(
            "GET", "/containers/\(escaped(id))/logs?stdout=true&stderr=true&tail=\(lines)", action: "reading logs of container \(id)")
        return Self.demultiplexed(response.body)
    }

    /// Runs a program of an exit in its container.
    package func execute(_ command: ExitCommand, in id: String, deadline: Double = 15) async throws -> (status: Int, output: String) {
        try await execute(command.words, in: id, deadline: deadline)
    }

    /// Runs a program in a running container: its exit status and output.
    package func execute(_ command: [String], in id: String, deadline: Double = 15) async throws -> (status: Int, output: String) {
        struct Created: Decodable { let id: String }
        struct Inspected: Decodable { let exitCode: Int? }
        let action = "running \(command.first ?? "") in container \(id)"
        let created = try Self.decode(
            Created.self, try await call("POST", "/containers/\(escaped(id))/exec", json: ExecCreate(cmd: command), action: action),
            action: action)
        let started = try await call("POST", "/exec/\(created.id)/start", json: ExecStart(), deadline: deadline, action: action)
        let inspected = try await get("/exec/\(created.id)/json", as: Inspected.self, action: action)
        return (inspected.exitCode ?? -1, Self.demultiplexed(started.body))
    }

    /// The payload of frames of 8 bytes of header (stream, 3 zeros, length big-endian) and data.
    /// Source: Engine API, "Attach to a container", Stream format.
    static func demultiplexed(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        var position = 0
        while position + 8 <= bytes.count, text.count < 256 << 10 {
            let length = bytes[(position + 4)..<(position + 8)].reduce(0) { $0 << 8 | Int($1) }
            let end = min(position + 8 + length, bytes.count)
            text += bytes[(position + 8)..<end]
            position = end
        }
        return String(decoding: text, as: UTF8.self)
    }
}
