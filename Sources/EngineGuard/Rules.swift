import DockerEngine
import Model
import Platform

/// What is let through: the calls that exits need, each read to a value of its own.
struct Rules {
    let settings: EngineGuard.Settings
    /// The tag of the one image; nil where there is no archive of it.
    let tag: String?

    /// A call whose body is not read yet.
    enum Route {
        case ready(EngineCall)
        /// - Parameter limit: bytes.
        case body(limit: Int, read: ([UInt8]) throws -> EngineCall)
        /// The archive of our image.
        case archive(EngineCall)
    }

    static let bodyLimit = 32 << 10
    private static let oldestMinor = EngineClient.oldestVersion.minor
    private static let newestMinor = EngineClient.newestVersion.minor

    func route(_ head: RequestHead) throws -> Route {
        if head.path == "/_ping" {
            try expect(head, "GET", parameters: [])
            return .ready(EngineCall(kind: .ping))
        }
        let segments = head.path.split(separator: "/")
        guard let first = segments.first, let version = Self.version(first) else {
            throw Refusal.forbidden("the path has no version of v1.\(Self.oldestMinor) to v1.\(Self.newestMinor)")
        }
        let rest = Array(segments.dropFirst())
        guard !head.path.contains("%") || rest.first == "images" else { throw Refusal.forbidden("the path holds escapes") }
        func ready(_ kind: EngineCall.Kind) -> Route { .ready(EngineCall(version: version, kind: kind)) }
        switch (rest.first ?? "", rest.dropFirst().first ?? "", rest.count) {
        case ("containers", "json", 2):
            try expect(head, "GET", parameters: ["all", "filters"])
            try check(head, filters: [:], isNeeded: false)
            return ready(.list)
        case ("events", _, 1):
            try expect(head, "GET", parameters: ["filters"])
            try check(head, filters: ["type": .array([.string("container")])], isNeeded: true)
            return ready(.events)
        case ("networks", let name, 2):
            try expect(head, "GET", parameters: [])
            guard name == settings.network else { throw Refusal.forbidden("only the network \(settings.network) is shown") }
            return ready(.network)
        case ("images", "create", 2): return try importing(head, version)
        case ("images", let name, 3) where rest[2] == "json":
            try expect(head, "GET", parameters: [])
            return ready(.image(try image(escaped: name)))
        case ("containers", "create", 2):
            try expect(head, "POST", parameters: ["name"])
            return .body(limit: Self.bodyLimit) { body in
                EngineCall(version: version, kind: .create(try CreateReading.template(body, name: head.value("name"), self)))
            }
        case ("containers", let name, 2...3): return try container(head, version, name, rest.count == 3 ? rest[2] : "")
        case ("exec", let id, 3): return try exec(head, version, id, rest[2])
        default: throw Refusal.forbidden("no exit needs that call")
        }
    }

    private static func version(_ segment: Substring) -> String? {
        guard segment.hasPrefix("v1."), let minor = Int(segment.dropFirst(3)), (oldestMinor...newestMinor).contains(minor),
            segment == "v1.\(minor)"
        else { return nil }
        return "1.\(minor)"
    }

    // MARK: - Containers

    private func container(_ head: RequestHead, _ version: String, _ name: Substring, _ part: Substring) throws -> Route {
        guard let name = ContainerName(name, owner: settings.owner) else {
            throw Refusal.forbidden("only containers with names like \(settings.owner)-us-1-g1 may be touched")
        }
        func call(_ action: EngineCall.Action) -> EngineCall { EngineCall(version: version, kind: .container(name, action)) }
        switch (part, head.method) {
        case ("", _):
            try expect(head, "DELETE", parameters: ["force", "v"])
            try expect(head, "force", ["true", "1"])
            try expect(head, "v", ["true", "1"])
            return .ready(call(.remove))
        case ("json", _):
            try expect(head, "GET", parameters: [])
            return .ready(call(.inspect))
        case ("start", _):
            try expect(head, "POST", parameters: [])
            return .ready(call(.start))
        case ("logs", _): return .ready(call(try logs(head)))
        case ("archive", _):
            try expect(head, "PUT", parameters: ["path"])
            try expect(head, "path", [ExitFile.folder])
            return .body(limit: Self.bodyLimit) { call(.upload(try ArchiveReading.content($0))) }
        case ("exec", _):
            try expect(head, "POST", parameters: [])
            return .body(limit: Self.bodyLimit) { call(.execute(try ExecReading.command($0))) }
        default: throw Refusal.forbidden("no exit needs that call")
        }
    }

    private func logs(_ head: RequestHead) throws -> EngineCall.Action {
        try expect(head, "GET", parameters: ["stdout", "stderr", "tail", "follow"])
        try expect(head, "stdout", ["true", "1"])
        try expect(head, "stderr", ["true", "1"])
        guard let text = head.value("tail"), let lines = Int(text), (1...10_000).contains(lines), String(lines) == text else {
            throw Refusal.forbidden("tail in the query is not a number of 1 to 10000")
        }
        if head.value("follow") != nil { try expect(head, "follow", ["true", "1", "false", "0"]) }
        return .logs(lines: lines, follows: ["true", "1"].contains(head.value("follow")))
    }

    private func exec(_ head: RequestHead, _ version: String, _ id: Substring, _ part: Substring) throws -> Route {
        guard Tickets.isID(id) else { throw Refusal.forbidden("that is not the id of a program that was created here") }
        switch part {
        case "start":
            try expect(head, "POST", parameters: [])
            return .body(limit: Self.bodyLimit) { body in
                try ExecReading.start(body)
                return EngineCall(version: version, kind: .startExec(String(id)))
            }
        case "json":
            try expect(head, "GET", parameters: [])
            return .ready(EngineCall(version: version, kind: .inspectExec(String(id))))
        default: throw Refusal.forbidden("no exit needs that call")
        }
    }

    // MARK: - Images

    private func importing(_ head: RequestHead, _ version: String) throws -> Route {
        guard let tag else { throw Refusal.forbidden("this guard has no archive of an image to compare with") }
        try expect(head, "POST", parameters: ["fromSrc", "repo", "tag", "changes"])
        try expect(head, "fromSrc", ["-"])
        // A controller of an earlier version says the tag apart.
        let isApart = head.value("tag") != nil
        try expect(head, "repo", [isApart ? settings.repository : "\(settings.repository):\(tag)"])
        if isApart { try expect(head, "tag", [tag]) }
        try expect(head, "changes", ExitImage.changes)
        return .archive(EngineCall(version: version, kind: .importImage(tag: tag)))
    }

    /// A name with a tag, as the client escapes it in a path.
    private func image(escaped name: Substring) throws -> String {
        let prefix = PercentEncoding.encode("\(settings.repository):")
        guard name.hasPrefix(prefix) else { throw Refusal.forbidden("only images \(settings.repository) are shown") }
        let name = "\(settings.repository):\(name.dropFirst(prefix.count))"
        try check(image: name)
        return name
    }

    func check(image: String) throws {
        let parts = image.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == settings.repository, Self.isTag(parts[1]), tag == nil || parts[1] == tag ?? "" else {
            throw Refusal.forbidden("Image is not \(settings.repository):\(tag ?? "TAG")")
        }
    }

    /// Source: the distribution's reference grammar, "tag".
    private static func isTag(_ text: Substring) -> Bool {
        (1...128).contains(text.utf8.count) && text.first != "." && text.first != "-"
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                default: "._-".utf8.contains(byte)
                }
            }
    }

    // MARK: - Queries

    private func expect(_ head: RequestHead, _ method: String, parameters names: Set<String>) throws {
        guard head.method == method else { throw Refusal.forbidden("the method is \(shown(head.method)), expected \(method)") }
        if let stray = head.query.first(where: { !names.contains($0.name) }) {
            throw Refusal.forbidden("\(shown(stray.name)) in the query is not known here")
        }
    }

    private func expect(_ head: RequestHead, _ name: String, _ values: [String]) throws {
        guard let value = head.value(name), values.contains(where: { value.utf8.elementsEqual($0.utf8) }) else {
            throw Refusal.forbidden("\(name) in the query is not \(values.first ?? "")")
        }
    }

    /// The owner's label, and what else the call must ask for.
    private func check(_ head: RequestHead, filters: [String: Document], isNeeded: Bool) throws {
        if head.value("all") != nil { try expect(head, "all", ["true", "1", "false", "0"]) }
        guard let text = head.value("filters") else {
            if isNeeded { throw Refusal.forbidden("filters in the query are missing") }
            return
        }
        var wanted = filters
        wanted["label"] = .array([.string("\(ExitLabel.owner)=\(settings.owner)")])
        do {
            if let difference = Difference.first(try Document(json: text.utf8), .object(wanted), at: "filters") {
                throw Refusal.forbidden(difference)
            }
        } catch let error as JSONError {
            throw Refusal.forbidden("filters in the query are not JSON, \(error)")
        }
    }
}

extension RequestHead {
    func value(_ name: String) -> String? { query.first { $0.name == name }?.value }
}
