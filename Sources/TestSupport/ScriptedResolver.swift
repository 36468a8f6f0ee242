import Glibc
import Platform

/// A DNS resolver on port 53 of a loopback address of its own, over UDP and TCP. It needs the right to open that port.
package enum ScriptedResolver {
    package enum Answer: Sendable {
        /// IPv4 addresses that may be kept for a minute.
        case addresses([[UInt8]])
        /// The answer does not fit into a datagram; by TCP it is these addresses.
        case large([[UInt8]])
        /// The name has an IPv6 address, and no other.
        case ipv6
        /// A code of RFC 1035, section 4.1.1: 2 for a failure, 3 for a name that is not there.
        case error(UInt8)
        case none
    }

    /// Answers until the process ends.
    /// - Parameter answer: by the first label of the name.
    package static func start(on address: String, _ answer: @escaping @Sendable (String) -> Answer) throws {
        let stream = try Ports.listen(address, 53).descriptor
        _ = fcntl(stream, F_SETFL, 0)
        let datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard SocketAddress(address, port: 53)?.bind(datagrams) ?? false else { throw PortError(message: "can't bind \(address):53") }
        SystemThread.start("test.resolver") { while true { answerDatagram(datagrams, answer) } }
        SystemThread.start("test.resolver") {
            while case let accepted = accept(stream, nil, nil), accepted >= 0 {
                var query = [UInt8](repeating: 0, count: 2048)
                let count = recv(accepted, &query, query.count, 0)
                if count > 14, let message = message(to: Array(query[2..<count]), byStream: true, answer) {
                    let framed = [UInt8(message.count >> 8), UInt8(message.count & 255)] + message
                    send(accepted, framed, framed.count, Int32(MSG_NOSIGNAL))
                }
                close(accepted)
            }
        }
    }

    private static func answerDatagram(_ descriptor: Int32, _ answer: (String) -> Answer) {
        var (bytes, from, size) = ([UInt8](repeating: 0, count: 2048), sockaddr(), socklen_t(MemoryLayout<sockaddr>.size))
        let count = recvfrom(descriptor, &bytes, bytes.count, 0, &from, &size)
        guard count > 12, let message = message(to: Array(bytes.prefix(count)), byStream: false, answer) else { return }
        sendto(descriptor, message, message.count, 0, &from, size)
    }

    private static func message(to query: [UInt8], byStream: Bool, _ answer: (String) -> Answer) -> [UInt8]? {
        let labelEnd = min(query.count, 13 + Int(query[12]))
        let label = String(decoding: query[13..<max(13, labelEnd)], as: UTF8.self).lowercased()
        let end = min(query.count, (query[12...].firstIndex(of: 0) ?? 12) + 5)
        let isOfIPv6 = query[max(0, end - 3)] == 28
        let record: [UInt8] = [0xC0, 12, 0, isOfIPv6 ? 28 : 1, 0, 1, 0, 0, 0, 60, 0, isOfIPv6 ? 16 : 4]
        func reply(_ flags: [UInt8], _ all: [[UInt8]] = []) -> [UInt8] {
            let addresses = all.filter { $0.count == (isOfIPv6 ? 16 : 4) }
            var message = Array(query.prefix(2)) + flags
            message += [0, 1, 0, UInt8(addresses.count), 0, 0, 0, 0]
            message += query[12..<end]
            for address in addresses { message += record + address }
            return message
        }
        switch answer(label) {
        case .addresses(let addresses): return reply([0x81, 0x80], addresses)
        case .large(let addresses): return byStream ? reply([0x81, 0x80], addresses) : reply([0x83, 0x80])
        case .ipv6: return reply([0x81, 0x80], isOfIPv6 ? [[0x20, 1] + [UInt8](repeating: 1, count: 14)] : [])
        case .error(let code): return reply([0x81, 0x80 | code])
        case .none: return nil
        }
    }
}
