import Dispatch
import Glibc
package import Model
import Platform

/// Times WireGuard servers by the first message of a handshake, from one UDP socket and without an interface.
///
/// A server answers only if it knows our key, so an answer proves more than that the machine is there. Never use it on a
/// server that an exit holds with the same key: the server would send the exit's packets to us.
package struct HandshakeProbe: Sendable {
    package struct Target: Sendable {
        /// What the caller calls it.
        package var name: String
        /// IPv4.
        package var address: String
        package var port: Int
        package var publicKey: String
        /// Base64 of 32 bytes, where the provider gave one with the key.
        package var presharedKey: Secret?

        package init(name: String, address: String, port: Int, publicKey: String, presharedKey: Secret? = nil) {
            self.name = name
            self.address = address
            self.port = port
            self.publicKey = publicKey
            self.presharedKey = presharedKey
        }
    }

    package enum Answer: Sendable, Equatable {
        /// The server has accepted our key; milliseconds.
        case accepted(Double)
        /// It is there, and too busy to look at keys.
        case busy(Double)

        package var milliseconds: Double {
            switch self {
            case .accepted(let time), .busy(let time): time
            }
        }
    }

    package struct Failure: Error, CustomStringConvertible {
        package var description: String
    }

    /// Milliseconds until a server that has not answered is asked once more, and until it is given up.
    private let again: Double
    private let timeout: Double
    /// True where the others are only waited for as long as the first that answers is hardly faster: four times its time, and 100 ms.
    private let isHasty: Bool

    package init(again: Double = 300, timeout: Double = 1000, isHasty: Bool = false) {
        self.again = again
        self.timeout = timeout
        self.isHasty = isHasty
    }

    /// The answers by name; a server that is missing did not answer, because it is away or because it does not know the key.
    package func measure(_ targets: [Target], privateKey: Secret) async throws -> [String: Answer] {
        guard !targets.isEmpty else { return [:] }
        guard let bytes = Base64.wireGuardKey(privateKey.revealed), let identity = Handshake.Identity(bytes) else {
            throw Failure(description: "the private key is not base64 of 32 bytes")
        }
        return try await Blocking.run {
            var round = Round(targets, identity, again: again, timeout: timeout, isHasty: isHasty)
            return try round.run()
        }
    }
}

/// One round of handshakes, on a thread of its own.
private struct Round {
    private struct Sent {
        var target: Int
        var handshake: Handshake
        var at: UInt64
    }

    private let targets: [HandshakeProbe.Target]
    private let keys: [[UInt8]?]
    private let identity: Handshake.Identity
    private let again: UInt64
    private let timeout: UInt64
    private let isHasty: Bool
    /// When who has not answered is given up because another has.
    private var hastyEnd: UInt64?
    private var sent: [UInt32: Sent] = [:]
    private var answers: [String: HandshakeProbe.Answer] = [:]
    private var generator = SystemRandomNumberGenerator()

    init(_ targets: [HandshakeProbe.Target], _ identity: Handshake.Identity, again: Double, timeout: Double, isHasty: Bool) {
        self.targets = targets
        self.isHasty = isHasty
        keys = targets.map { Base64.wireGuardKey($0.publicKey) }
        self.identity = identity
        self.again = UInt64(again * 1e6)
        self.timeout = UInt64(timeout * 1e6)
    }

    mutating func run() throws -> [String: HandshakeProbe.Answer] {
        let descriptor = try Self.newSocket()
        defer { close(descriptor) }
        let rounds = [targets.indices.map { $0 }, targets.indices.map { $0 }]
        var last = DispatchTime.now().uptimeNanoseconds
        for (number, indices) in rounds.enumerated() {
            let start = DispatchTime.now().uptimeNanoseconds
            for index in indices where answers[targets[index].name] == nil {
                send(index, descriptor)
                receive(descriptor)
            }
            last = DispatchTime.now().uptimeNanoseconds
            let end = number == 0 ? max(start + again, last) : last + (timeout > again ? timeout - again : again)
            wait(until: end, descriptor)
            if isOver(DispatchTime.now().uptimeNanoseconds) { break }
        }
        return answers
    }

    private static func newSocket() throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw HandshakeProbe.Failure(description: "no UDP socket: \(String(cString: strerror(errno)))") }
        SocketOptions.setReceiveBuffer(1 << 20, of: descriptor)
        return descriptor
    }

    private mutating func send(_ index: Int, _ descriptor: Int32) {
        let target = targets[index]
        var number = UInt32.random(in: 1...UInt32.max, using: &generator)
        while sent[number] != nil { number = UInt32.random(in: 1...UInt32.max, using: &generator) }
        guard let address = SocketAddress(target.address, port: target.port), let handshake = handshake(number, with: index) else { return }
        sent[number] = Sent(target: index, handshake: handshake, at: DispatchTime.now().uptimeNanoseconds)
        // What can't be sent is not answered either.
        address.send(handshake.initiation, from: descriptor)
    }

    /// Nil where a key of the target is none.
    /// - Parameter number: names the handshake in its answer.
    private mutating func handshake(_ number: UInt32, with target: Int) -> Handshake? {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let ephemeral = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let shared = targets[target].presharedKey.map { Base64.wireGuardKey($0.revealed) } ?? [UInt8](repeating: 0, count: 32)
        guard let key = keys[target], let shared else { return nil }
        return Handshake(
            identity, server: key, presharedKey: shared, index: number, ephemeral: ephemeral, now: (Int(now.tv_sec), Int(now.tv_nsec)))
    }

    /// Takes what has arrived, without waiting.
    private mutating func receive(_ descriptor: Int32) {
        var buffer = [UInt8](repeating: 0, count: 256)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            // An ICMP error about one target shows up as an error of the socket, once.
            if count < 0, errno == ECONNREFUSED || errno == EINTR { continue }
            guard count >= 0 else { return }
            take(buffer[..<count], at: DispatchTime.now().uptimeNanoseconds)
        }
    }

    private mutating func take(_ message: ArraySlice<UInt8>, at now: UInt64) {
        guard let index = Handshake.index(ofAnswer: message), let entry = sent[index] else { return }
        let name = targets[entry.target].name
        let milliseconds = Double(now - entry.at) / 1e6
        if Handshake.isCookieReply(message) {
            if answers[name] == nil { answers[name] = .busy(milliseconds) }
        } else if entry.handshake.accepts(message) {
            sent[index] = nil
            answers[name] = .accepted(milliseconds)
            if isHasty, hastyEnd == nil { hastyEnd = max(now + 3 * (now - entry.at), entry.at + 100_000_000) }
        }
    }

    private func isOver(_ now: UInt64) -> Bool { answers.count == targets.count || hastyEnd.map { now >= $0 } ?? false }

    private mutating func wait(until end: UInt64, _ descriptor: Int32) {
        while true {
            let now = DispatchTime.now().uptimeNanoseconds
            guard now < end, !isOver(now) else { return }
            let end = min(end, hastyEnd ?? end)
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&entry, 1, Int32(clamping: (end - now) / 1_000_000 + 1))
            receive(descriptor)
        }
    }
}
