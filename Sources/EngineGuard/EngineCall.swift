import DockerEngine
import Model
import Platform

/// What may be asked of the engine, as a value. The request is made of it alone.
struct EngineCall {
    enum Kind {
        case ping
        case list
        case events
        case network
        /// - Parameter name: with its tag.
        case image(_ name: String)
        case importImage(tag: String)
        case create(ExitTemplate)
        case container(ContainerName, Action)
        case startExec(String)
        case inspectExec(String)
    }

    /// On one container, which must be an exit's.
    enum Action {
        case inspect, start, remove
        case logs(lines: Int, follows: Bool)
        case upload([UInt8])
        case execute(ExitCommand)
    }

    /// The version of the API: "1.41"; nil for the call that has none.
    var version: String?
    var kind: Kind
}

/// `sallyport-us-1-g3`: whose it is, which exit's and which generation's.
struct ContainerName: Hashable, CustomStringConvertible {
    var owner: String
    var exit: ExitID
    var generation: Int

    /// Nil for every other name, also where it only differs in its writing.
    init?(_ text: some StringProtocol, owner: String) {
        guard text.hasPrefix("\(owner)-") else { return nil }
        let parts = text.dropFirst(owner.count + 1).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[2].hasPrefix("g"), let exit = ExitID("\(parts[0])-\(parts[1])"),
            let generation = Int(parts[2].dropFirst()), (0...999_999_999).contains(generation)
        else { return nil }
        (self.owner, self.exit, self.generation) = (owner, exit, generation)
        guard description == text else { return nil }
    }

    var description: String { ExitTemplate.name(owner: owner, exit: exit, generation: generation) }
}

/// A request to the engine, every byte of it ours.
struct EngineRequest: Hashable {
    var method: String
    var target: String
    var type: String?
    var body: [UInt8]?
    /// Bytes of a body that is sent apart.
    var length: Int?

    init(_ method: String, _ target: String, type: String? = nil, body: [UInt8]? = nil, length: Int? = nil) {
        (self.method, self.target, self.type, self.body, self.length) = (method, target, type, body, length)
    }

    /// - Parameter version: 1.0 for an answer that ends with its connection, without chunks.
    func bytes(version: String = "1.1") -> [UInt8] {
        var head = "\(method) \(target) HTTP/\(version)\r\nHost: engine\r\nConnection: close\r\n"
        if let type { head += "Content-Type: \(type)\r\n" }
        if method != "GET", method != "DELETE" { head += "Content-Length: \(length ?? body?.count ?? 0)\r\n" }
        return Array("\(head)\r\n".utf8) + (body ?? [])
    }
}

extension EngineCall {
    /// - Parameters:
    ///   - id: of the container that the call is about, as the engine has said it.
    ///   - archive: bytes of the image's archive.
    func request(_ settings: EngineGuard.Settings, id: String = "", archive: Int = 0) throws -> EngineRequest {
        let base = version.map { "/v\($0)" } ?? ""
        let owner = PercentEncoding.encode(#"{"label":["\#(ExitLabel.owner)=\#(settings.owner)"]}"#)
        switch kind {
        case .ping: return EngineRequest("GET", "/_ping")
        case .list: return EngineRequest("GET", "\(base)/containers/json?all=true&filters=\(owner)")
        case .events:
            let filters = PercentEncoding.encode(#"{"label":["\#(ExitLabel.owner)=\#(settings.owner)"],"type":["container"]}"#)
            return EngineRequest("GET", "\(base)/events?filters=\(filters)")
        case .network: return EngineRequest("GET", "\(base)/networks/\(PercentEncoding.encode(settings.network))")
        case .image(let name): return EngineRequest("GET", "\(base)/images/\(PercentEncoding.encode(name))/json")
        case .importImage(let tag):
            let changes = ExitImage.changes.map { "&changes=\(PercentEncoding.encode($0))" }.joined()
            let target =
                "\(base)/images/create?fromSrc=-&repo=\(PercentEncoding.encode("\(settings.repository):\(tag)"))\(changes)"
            return EngineRequest("POST", target, type: "application/x-tar", length: archive)
        case .create(let template):
            let target = "\(base)/containers/create?name=\(PercentEncoding.encode(template.name))"
            return EngineRequest("POST", target, type: "application/json", body: try EngineCoding.encode(template.container))
        case .container(_, let action): return try Self.request(action, "\(base)/containers/\(id)")
        case .startExec(let exec):
            return EngineRequest("POST", "\(base)/exec/\(exec)/start", type: "application/json", body: try EngineCoding.encode(ExecStart()))
        case .inspectExec(let exec): return EngineRequest("GET", "\(base)/exec/\(exec)/json")
        }
    }

    private static func request(_ action: Action, _ container: String) throws -> EngineRequest {
        switch action {
        case .inspect: return EngineRequest("GET", "\(container)/json")
        case .start: return EngineRequest("POST", "\(container)/start")
        case .remove: return EngineRequest("DELETE", "\(container)?force=true&v=true")
        case .logs(let lines, let follows):
            return EngineRequest("GET", "\(container)/logs?stdout=true&stderr=true&tail=\(lines)\(follows ? "&follow=true" : "")")
        case .upload(let content):
            let target = "\(container)/archive?path=\(PercentEncoding.encode(ExitFile.folder))"
            return EngineRequest("PUT", target, type: "application/x-tar", body: ExitFile.archive(content))
        case .execute(let command):
            let body = try EngineCoding.encode(ExecCreate(cmd: command.words))
            return EngineRequest("POST", "\(container)/exec", type: "application/json", body: body)
        }
    }

    /// Asks for a container by its name, which says whose it is before anything is done to it.
    static func inspect(_ name: ContainerName, version: String) -> EngineRequest {
        EngineRequest("GET", "/v\(version)/containers/\(PercentEncoding.encode(name.description))/json")
    }

    /// True where the engine may be silent for as long as it likes.
    var isStream: Bool {
        switch kind {
        case .events, .container(_, .logs(_, true)): true
        default: false
        }
    }
}
