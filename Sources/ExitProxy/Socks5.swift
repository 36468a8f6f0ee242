/// A SOCKS5 handshake (RFC 1928, RFC 1929): CONNECT alone, by name and password alone.
struct Socks5 {
    enum Step: Equatable {
        case greeting, password, request
    }

    /// What came of the bytes that are there.
    enum Outcome: Equatable {
        /// More bytes are needed.
        case wait
        /// An answer, and on to the next step.
        case answer([UInt8])
        case target(Target)
        /// A last answer.
        case refused([UInt8])
    }

    private(set) var step = Step.greeting

    static func reply(_ code: UInt8) -> [UInt8] { [5, code, 0, 1, 0, 0, 0, 0, 0, 0] }

    /// Takes the next step of the handshake, and its bytes out of the buffer.
    /// - Parameter isKnown: whether name and password are right.
    mutating func take(_ buffer: inout ByteBuffer, isKnown: ([UInt8], [UInt8]) -> Bool) -> Outcome {
        let bytes = Array(buffer.contents.prefix(600))
        switch step {
        case .greeting: return greeting(bytes, &buffer)
        case .password: return password(bytes, &buffer, isKnown)
        case .request: return request(bytes, &buffer)
        }
    }

    private mutating func greeting(_ bytes: [UInt8], _ buffer: inout ByteBuffer) -> Outcome {
        guard bytes.count >= 2, bytes.count >= 2 + Int(bytes[1]) else { return .wait }
        buffer.removeFirst(2 + Int(bytes[1]))
        guard bytes[0] == 5, bytes[2..<(2 + Int(bytes[1]))].contains(2) else { return .refused([5, 255]) }
        step = .password
        return .answer([5, 2])
    }

    private mutating func password(_ bytes: [UInt8], _ buffer: inout ByteBuffer, _ isKnown: ([UInt8], [UInt8]) -> Bool) -> Outcome {
        guard bytes.count >= 2 else { return .wait }
        let nameEnd = 2 + Int(bytes[1])
        guard bytes.count > nameEnd, bytes.count >= nameEnd + 1 + Int(bytes[nameEnd]) else { return .wait }
        let end = nameEnd + 1 + Int(bytes[nameEnd])
        buffer.removeFirst(end)
        guard bytes[0] == 1, isKnown(Array(bytes[2..<nameEnd]), Array(bytes[(nameEnd + 1)..<end])) else { return .refused([1, 1]) }
        step = .request
        return .answer([1, 0])
    }

    private mutating func request(_ bytes: [UInt8], _ buffer: inout ByteBuffer) -> Outcome {
        guard bytes.count >= 5 else { return .wait }
        let size: Int
        switch bytes[3] {
        case 1: size = 4
        case 3: size = 1 + Int(bytes[4])
        case 4: size = 16
        default: return .refused(Self.reply(8))
        }
        guard bytes.count >= 4 + size + 2 else { return .wait }
        buffer.removeFirst(4 + size + 2)
        let (address, port) = (bytes[4..<(4 + size)], UInt16(bytes[4 + size]) << 8 | UInt16(bytes[5 + size]))
        guard bytes[0] == 5, bytes[2] == 0, port > 0 else { return .refused(Self.reply(1)) }
        guard bytes[1] == 1 else { return .refused(Self.reply(7)) }
        switch bytes[3] {
        case 1: return .target(Target(host: .address(.v4(IPv4(number: address.reduce(0) { $0 << 8 | UInt32($1) }))), port: port))
        case 4: return .target(Target(host: .address(.v6(IPv6(address))), port: port))
        default:
            guard let host = Target.host(address.dropFirst()) else { return .refused(Self.reply(1)) }
            return .target(Target(host: host, port: port))
        }
    }
}

extension Target {
    init(host: Host, port: UInt16) {
        self.host = host
        self.port = port
    }
}
