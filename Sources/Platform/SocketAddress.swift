import Glibc

/// The path of a Unix socket, or an IPv4 address with a port, as the system's calls take it.
///
/// Where a call fails, `errno` says why until the next one.
package struct SocketAddress: Sendable {
    private var storage = sockaddr_storage()
    private let size: socklen_t

    /// Nil for a path of over 107 bytes (unix(7)).
    package init?(path: String) {
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: name.sun_path) else { return nil }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
        self.init(name)
    }

    /// A Unix socket that has no file: the kernel knows it by its name alone. Nil for a name of none or over 107 bytes.
    package init?(abstract text: String) {
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        guard !text.isEmpty, text.utf8.count < MemoryLayout.size(ofValue: name.sun_path) else { return nil }
        // The zero in front makes it abstract, and every byte up to the end counts.
        withUnsafeMutableBytes(of: &name.sun_path) { UnsafeMutableRawBufferPointer(rebasing: $0[1...]).copyBytes(from: text.utf8) }
        self.init(name, size: MemoryLayout.size(ofValue: name.sun_family) + 1 + text.utf8.count)
    }

    /// Nil for what is not an IPv4 address.
    /// - Parameter port: 0 to 65535; 0 lets the system choose one.
    package init?(_ address: String, port: Int) {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = in_port_t(UInt16(clamping: port)).bigEndian
        guard inet_pton(AF_INET, address, &name.sin_addr) == 1 else { return nil }
        self.init(name)
    }

    private init<Name: BitwiseCopyable>(_ name: Name, size bytes: Int = MemoryLayout<Name>.size) {
        size = socklen_t(bytes)
        withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: name, as: Name.self) }
    }

    package func bind(_ descriptor: Int32) -> Bool { with { Glibc.bind(descriptor, $0, $1) == 0 } }
    package func connect(_ descriptor: Int32) -> Bool { with { Glibc.connect(descriptor, $0, $1) == 0 } }

    /// Sends one datagram. What can't be sent is lost, as on a network.
    package func send(_ bytes: [UInt8], from descriptor: Int32) {
        _ = with { sendto(descriptor, bytes, bytes.count, 0, $0, $1) }
    }

    private func with<Value>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value {
        withUnsafePointer(to: storage) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, size) } }
    }
}

extension SocketAddress {
    /// The port that an IPv4 socket is bound to.
    package static func port(of descriptor: Int32) -> Int {
        var name = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &size) }
        }
        return Int(UInt16(bigEndian: name.sin_port))
    }

    /// The text of an IPv4 or IPv6 address, a link-local one with its interface: `fe80::1%eth0`. Nil for other kinds.
    static func text(of address: UnsafePointer<sockaddr>) -> String? {
        let size: Int
        switch Int32(address.pointee.sa_family) {
        case AF_INET: size = MemoryLayout<sockaddr_in>.size
        case AF_INET6: size = MemoryLayout<sockaddr_in6>.size
        default: return nil
        }
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(address, socklen_t(size), &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
