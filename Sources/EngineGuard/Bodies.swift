import DockerEngine
import Model
import Platform

/// Where two documents differ.
enum Difference {
    /// What is wrong with a document, by the path of the first field that is not as wanted; nil where all are. Texts are equal where
    /// their bytes are.
    static func first(_ given: Document, _ wanted: Document, at path: String) -> String? {
        switch (given, wanted) {
        case (.object(let given), .object(let wanted)): return first(given, wanted, at: path)
        case (.array(let given), .array(let wanted)):
            guard given.count == wanted.count else { return "\(path) has \(given.count) entries, expected \(json(.array(wanted)))" }
            for (index, pair) in zip(given, wanted).enumerated() {
                if let difference = first(pair.0, pair.1, at: "\(path)[\(index)]") { return difference }
            }
            return nil
        case (.string(let given), .string(let wanted)) where given.utf8.elementsEqual(wanted.utf8): return nil
        case (.string, .string): return "\(path) is another text, expected \(json(wanted))"
        default: return given == wanted ? nil : "\(path) is \(given.kind), expected \(json(wanted))"
        }
    }

    private static func first(_ given: [String: Document], _ wanted: [String: Document], at path: String) -> String? {
        for name in Set(given.keys).union(wanted.keys).sorted() {
            let field = path.isEmpty ? shown(name) : "\(path).\(shown(name))"
            guard let right = wanted[name] else { return "\(field) is not allowed" }
            guard let value = given[name] else { return "\(field) is missing, expected \(json(right))" }
            if let difference = first(value, right, at: field) { return difference }
        }
        // Names are equal here where they look equal.
        return Set(given.keys.map { Array($0.utf8) }) == Set(wanted.keys.map { Array($0.utf8) }) ? nil : "\(path) has another name"
    }

    private static func json(_ document: Document) -> String {
        let text = (try? EngineCoding.encode(document)).map { String(decoding: $0, as: UTF8.self) } ?? document.kind
        return text.count > 200 ? "\(text.prefix(200))..." : text
    }

    /// - Parameter template: what the engine is to get.
    static func check(_ given: Document, _ template: some Encodable, at path: String = "") throws {
        let wanted = try Document(json: EngineCoding.encode(template))
        if let difference = first(given, wanted, at: path) { throw Refusal.forbidden(difference) }
    }

    static func document(_ body: [UInt8]) throws -> Document {
        do { return try Document(json: body) } catch { throw Refusal.forbidden("the body is not JSON as it is read here, \(error)") }
    }
}

/// The body of a new container: an exit's, or refused.
enum CreateReading {
    static func template(_ body: [UInt8], name: String?, _ rules: Rules) throws -> ExitTemplate {
        let settings = rules.settings
        let document = try Difference.document(body)
        guard let name = name.flatMap({ ContainerName($0, owner: settings.owner) }) else {
            throw Refusal.forbidden("name in the query is not a name like \(settings.owner)-us-1-g1")
        }
        let image = try text(document, ["Image"])
        try rules.check(image: image)
        let template = ExitTemplate(
            owner: settings.owner, image: image, network: settings.network, exit: name.exit, generation: name.generation,
            server: try server(document), fingerprint: try fingerprint(document), fence: try fence(document),
            address: try fixedAddress(document, settings.network), tunnelHasIPv6: field(document, ["Labels", ExitLabel.ipv6]) != nil)
        try Difference.check(document, template.container)
        return template
    }

    private static func server(_ document: Document) throws -> String {
        let server = try label(document, ExitLabel.server)
        guard let address = IPNetwork(server), address.description == server, !server.contains("/") else {
            throw Refusal.forbidden("Labels.\(ExitLabel.server) is not an address")
        }
        return server
    }

    private static func fingerprint(_ document: Document) throws -> String {
        let fingerprint = try label(document, ExitLabel.specification)
        guard (8...64).contains(fingerprint.utf8.count), fingerprint.utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) }) else {
            throw Refusal.forbidden("Labels.\(ExitLabel.specification) is not 8 to 64 hexadecimal digits")
        }
        return fingerprint
    }

    private static func fence(_ document: Document) throws -> Int {
        let fence = try label(document, ExitLabel.fence)
        guard let number = Int(fence), number >= 0, String(number) == fence else {
            throw Refusal.forbidden("Labels.\(ExitLabel.fence) is not a number from 0")
        }
        return number
    }

    private static func label(_ document: Document, _ name: String) throws -> String { try text(document, ["Labels", name]) }

    private static func text(_ document: Document, _ path: [String]) throws -> String {
        guard case .string(let text)? = field(document, path) else {
            throw Refusal.forbidden("\(path.joined(separator: ".")) is missing, or not a text")
        }
        return text
    }

    /// An IPv4 address in the one form that inet_pton and Go's readers agree about.
    private static func fixedAddress(_ document: Document, _ network: String) throws -> String? {
        let path = ["NetworkingConfig", "EndpointsConfig", network, "IPAMConfig", "IPv4Address"]
        guard let value = field(document, path) else { return nil }
        guard case .string(let text) = value, let address = IPNetwork(text), !address.isIPv6, address.description == text else {
            throw Refusal.forbidden("\(path.joined(separator: ".")) is not an IPv4 address")
        }
        return text
    }

    private static func field(_ document: Document, _ path: [String]) -> Document? {
        path.reduce(document) { value, name in if case .object(let fields)? = value { fields[name] } else { nil } }
    }
}

/// The one file that is uploaded: an archive is taken only where ours of the same content has the same bytes.
enum ArchiveReading {
    static let contentLimit = 8 << 10

    static func content(_ archive: [UInt8]) throws -> [UInt8] {
        let size = archive.count >= 512 ? Int(String(decoding: archive[124..<135], as: UTF8.self), radix: 8) ?? -1 : -1
        guard (1...contentLimit).contains(size), archive.count >= 512 + size else {
            throw Refusal.forbidden("the archive does not begin with a file of 1 to \(contentLimit) bytes")
        }
        let content = Array(archive[512..<512 + size])
        guard ExitFile.archive(content) == archive else {
            throw Refusal.forbidden("the archive is not the one file \(ExitFile.name), mode 0600, owner 0, as the controller packs it")
        }
        guard content.allSatisfy({ (0x20..<0x7F).contains($0) || $0 == 0x0A }) else {
            throw Refusal.forbidden("\(ExitFile.name) holds other characters than plain ones")
        }
        return content
    }
}

/// Programs in an exit: those of the controller, with nothing that changes how they run.
enum ExecReading {
    static func command(_ body: [UInt8]) throws -> ExitCommand {
        let document = try Difference.document(body)
        var difference: String?
        for command in ExitCommand.allCases {
            let wanted = try Document(json: EngineCoding.encode(ExecCreate(cmd: command.words)))
            difference = Difference.first(document, wanted, at: "")
            if difference == nil { return command }
        }
        throw Refusal.forbidden("not a program that the controller runs: \(difference ?? "there is none")")
    }

    static func start(_ body: [UInt8]) throws { try Difference.check(try Difference.document(body), ExecStart()) }
}
