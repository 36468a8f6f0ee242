import DockerEngine
import Model

/// A whole answer of the engine's, for what the guard itself must know.
struct EngineAnswer {
    /// Bytes; an engine says far less of one container.
    private static let limit = 1 << 20
    private static let seconds = 15.0

    var status: Int
    var body: [UInt8]

    /// Asks in HTTP/1.0, whose answers end with their connection.
    static func whole(of request: EngineRequest, _ session: Session) throws -> EngineAnswer {
        let engine = try session.guardian.engine(for: session.number)
        do { try engine.write(request.bytes(version: "1.0")) } catch Channel.Failure.ended {}
        let deadline = ContinuousClock.now + .seconds(seconds)
        var bytes: [UInt8] = []
        do {
            while case let piece = try engine.read(by: deadline), !piece.isEmpty {
                bytes += piece
                guard bytes.count <= limit else { throw unreadable }
            }
        } catch Channel.Failure.timedOut {
            throw Refusal(status: 504, message: "the Docker Engine does not answer")
        }
        return try EngineAnswer(reading: bytes)
    }

    private init(reading bytes: [UInt8]) throws {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { throw Self.unreadable }
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).lowercased()
        let words = head.prefix { !$0.isNewline }.split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("http/1."), let status = Int(words[1]), (200...599).contains(status),
            !head.contains("transfer-encoding")
        else { throw Self.unreadable }
        self.status = status
        body = Array(bytes[end.upperBound...])
    }

    private static let unreadable = Refusal(status: 502, message: "the Docker Engine's answer can't be read")

    private func document() throws -> Document {
        do { return try Document(json: body) } catch { throw Self.unreadable }
    }

    /// The id that the answer gives.
    func id() throws -> String {
        guard case .object(let fields) = try document(), case .string(let id)? = fields["Id"], Tickets.isID(id) else {
            throw Self.unreadable
        }
        return id
    }

    /// The id of the container that the answer shows, where that is the exit of this name.
    func id(of name: ContainerName) throws -> String {
        guard case .object(let fields) = try document(), case .string(let shown)? = fields["Name"],
            case .object(let configuration)? = fields["Config"], case .object(let labels)? = configuration["Labels"]
        else { throw Refusal.forbidden("the container has no labels of an exit") }
        let wanted = [
            ExitLabel.owner: name.owner, ExitLabel.exit: name.exit.description, ExitLabel.generation: String(name.generation),
        ]
        guard shown == "/\(name)", wanted.allSatisfy({ labels[$0.key] == .string($0.value) }) else {
            throw Refusal.forbidden("the container is not an exit of \(name.owner)")
        }
        return try id()
    }

    /// The engine's words about what it has refused.
    var message: String {
        guard case .object(let fields)? = try? document(), case .string(let words)? = fields["message"] else { return "status \(status)" }
        return shown(words)
    }

    func network() throws -> NetworkDetails {
        do { return try EngineCoding.decode(NetworkDetails.self, from: body) } catch { throw Self.unreadable }
    }
}

extension NetworkDetails {
    /// True for an IPv4 address of one of its subnets that is neither the subnet's first nor last, nor the gateway's.
    func offers(_ address: String) -> Bool {
        guard address != gateway, let wanted = Self.number(address) else { return false }
        return (addresses.config ?? []).compactMap(\.subnet).contains { subnet in
            let parts = subnet.split(separator: "/")
            guard parts.count == 2, let first = Self.number(parts[0]), let prefix = UInt32(parts[1]), (8...30).contains(prefix) else {
                return false
            }
            let size = UInt32(1) << (32 - prefix)
            return wanted > first && wanted - first < size - 1
        }
    }

    private static func number(_ address: some StringProtocol) -> UInt32? {
        let octets = address.split(separator: ".", omittingEmptySubsequences: false).compactMap { UInt8($0) }
        return octets.count == 4 ? octets.reduce(0) { $0 << 8 | UInt32($1) } : nil
    }
}
