import Dispatch
import Glibc
import Platform

/// Times machines by TCP connections, for those that answer no echo. A refusal comes from the machine too, and counts.
package struct TCPProbe: Sendable {
    package static let ports = [51820, 443, 80, 22]
    /// Connections that are tried at once.
    private static let width = 50

    private let ports: [Int]
    private let timeout: Double

    /// - Parameter timeout: milliseconds for each port.
    package init(ports: [Int] = Self.ports, timeout: Double = 500) {
        self.ports = ports
        self.timeout = timeout
    }

    /// Milliseconds of each IPv4 address that answered on one of the ports, which are tried one after the other.
    package func measure(_ addresses: [String]) async throws -> [String: Double] {
        guard !addresses.isEmpty else { return [:] }
        return try await Blocking.run {
            var times: [String: Double] = [:]
            for port in ports {
                let left = Array(Set(addresses.filter { times[$0] == nil }))
                if left.isEmpty { break }
                for (address, time) in try connect(left, port) { times[address] = time }
            }
            return times
        }
    }

    private struct Connection {
        var descriptor: Int32
        var address: String
        var start: UInt64
    }

    private func connect(_ addresses: [String], _ port: Int) throws -> [String: Double] {
        var times: [String: Double] = [:]
        var waiting = addresses[...]
        var open: [Connection] = []
        defer { for connection in open { close(connection.descriptor) } }
        let limit = UInt64(timeout * 1e6)
        while !waiting.isEmpty || !open.isEmpty {
            while open.count < Self.width, let address = waiting.popFirst() {
                let start = DispatchTime.now().uptimeNanoseconds
                switch try begin(address, port) {
                case .answered: times[address] = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6
                case .unreachable: break
                case .waiting(let descriptor): open.append(Connection(descriptor: descriptor, address: address, start: start))
                }
            }
            guard let first = open.first else { continue }
            let now = DispatchTime.now().uptimeNanoseconds
            let left = first.start + limit > now ? (first.start + limit - now) / 1_000_000 + 1 : 0
            var entries = open.map { pollfd(fd: $0.descriptor, events: Int16(POLLOUT), revents: 0) }
            _ = poll(&entries, nfds_t(entries.count), Int32(clamping: left))
            let end = DispatchTime.now().uptimeNanoseconds
            var kept: [Connection] = []
            for (connection, entry) in zip(open, entries) {
                if entry.revents != 0 {
                    var error: Int32 = 0
                    var size = socklen_t(MemoryLayout<Int32>.size)
                    getsockopt(connection.descriptor, SOL_SOCKET, SO_ERROR, &error, &size)
                    if error == 0 || error == ECONNREFUSED { times[connection.address] = Double(end - connection.start) / 1e6 }
                    close(connection.descriptor)
                } else if end - connection.start >= limit {
                    close(connection.descriptor)
                } else {
                    kept.append(connection)
                }
            }
            open = kept
        }
        return times
    }

    private enum Beginning {
        case answered
        case unreachable
        case waiting(Int32)
    }

    private func begin(_ text: String, _ port: Int) throws -> Beginning {
        guard let address = SocketAddress(text, port: port) else { return .unreachable }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw HandshakeProbe.Failure(description: "no TCP socket: \(String(cString: strerror(errno)))") }
        let isConnected = address.connect(descriptor)
        if !isConnected, errno == EINPROGRESS { return .waiting(descriptor) }
        let isAnswer = isConnected || errno == ECONNREFUSED
        close(descriptor)
        return isAnswer ? .answered : .unreachable
    }
}
