import Dispatch
import Glibc
import Platform
import Synchronization

/// A longer way to one server: a UDP relay on this machine that holds every packet for a while, in both directions. The
/// kernel's own delay (netem) is not in every kernel.
final class DelayRelay: Sendable {
    private struct Held {
        let at: UInt64
        let bytes: [UInt8]
        /// Where it goes: the server by a client's own socket, or a client.
        let socket: Int32
        let client: sockaddr_in?
    }

    let port: Int
    private let listening: Int32
    private let server: sockaddr_in
    private let delay: UInt64
    private let isStopped = Mutex(false)
    private let ended = DispatchSemaphore(value: 0)

    /// - Parameter milliseconds: of each direction, 0 to 10,000.
    init(address: String, serverAddress: String, serverPort: Int, milliseconds: Int) throws {
        delay = UInt64(max(0, min(milliseconds, 10_000))) * 1_000_000
        server = Self.name(serverAddress, serverPort)
        let descriptor = Self.newSocket()
        guard let own = SocketAddress(address, port: 0), own.bind(descriptor) else {
            throw LabError(message: "no UDP port on \(address): \(String(cString: strerror(errno)))")
        }
        listening = descriptor
        port = SocketAddress.port(of: descriptor)
        DispatchQueue(label: "lab.relay").async { [self] in work() }
    }

    func stop() {
        guard
            !isStopped.withLock({ was in
                defer { was = true }; return was
            })
        else { return }
        ended.wait()
    }

    private func work() {
        // A socket for each client, so that the server tells them apart as it would without us.
        var upstream: [UInt64: (socket: Int32, client: sockaddr_in)] = [:]
        var held: [Held] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while !isStopped.withLock({ $0 }) {
            let now = DispatchTime.now().uptimeNanoseconds
            while let first = held.first, first.at <= now {
                held.removeFirst()
                send(first)
            }
            var descriptors = [pollfd(fd: listening, events: Int16(POLLIN), revents: 0)]
            descriptors += upstream.values.map { pollfd(fd: $0.socket, events: Int16(POLLIN), revents: 0) }
            let wait = held.first.map { Int32(($0.at - now) / 1_000_000 + 1) } ?? 50
            poll(&descriptors, nfds_t(descriptors.count), min(wait, 50))
            let due = DispatchTime.now().uptimeNanoseconds + delay
            while let (count, client) = receive(listening, &buffer) {
                let key = UInt64(client.sin_addr.s_addr) << 16 | UInt64(client.sin_port)
                let way = upstream[key] ?? (Self.newSocket(), client)
                upstream[key] = way
                held.append(Held(at: due, bytes: Array(buffer[..<count]), socket: way.socket, client: nil))
            }
            for way in upstream.values {
                while let (count, _) = receive(way.socket, &buffer) {
                    held.append(Held(at: due, bytes: Array(buffer[..<count]), socket: listening, client: way.client))
                }
            }
        }
        for way in upstream.values { close(way.socket) }
        close(listening)
        ended.signal()
    }

    private func send(_ packet: Held) {
        var name = packet.client ?? server
        withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                // A full buffer loses the packet, as a full queue on a real way would.
                _ = sendto(packet.socket, packet.bytes, packet.bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private func receive(_ socket: Int32, _ buffer: inout [UInt8]) -> (Int, sockaddr_in)? {
        var name = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let capacity = buffer.count
        let count = withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { recvfrom(socket, &buffer, capacity, 0, $0, &size) }
        }
        return count > 0 ? (count, name) : nil
    }

    private static func newSocket() -> Int32 {
        socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    }

    private static func name(_ address: String, _ port: Int) -> sockaddr_in {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = in_port_t(UInt16(clamping: port)).bigEndian
        inet_pton(AF_INET, address, &name.sin_addr)
        return name
    }
}
