import Glibc

/// A TCP port that can't be had.
package struct PortError: Error, CustomStringConvertible {
    package var message: String
    package var description: String { message }
    package init(message: String) { self.message = message }
}

/// TCP ports of this machine.
package enum Ports {
    /// Throws when nobody could listen there now.
    package static func check(_ address: String, _ port: Int) throws { close(try listen(address, port).descriptor) }

    /// False where this process, or this machine, can have no more descriptors: what fails then fails for that.
    package static var canOpenSocket: Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        close(descriptor)
        return true
    }

    /// A listening, non-blocking socket, and the port that it got.
    /// - Parameter port: 0 lets the system choose.
    package static func listen(_ address: String, _ port: Int) throws -> (descriptor: Int32, port: Int) {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = in_port_t(UInt16(clamping: port)).bigEndian
        guard inet_pton(AF_INET, address, &name.sin_addr) == 1 else {
            throw PortError(message: "can't listen on \(address): not an IPv4 address")
        }
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_INET, type, 0)
        guard descriptor >= 0 else { throw PortError(message: String(cString: strerror(errno))) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) == 0 && Glibc.listen(descriptor, 1024) == 0 }
        }
        guard bound else {
            let reason = errno == EADDRINUSE ? "the port is in use" : String(cString: strerror(errno))
            close(descriptor)
            throw PortError(message: "can't listen on \(address):\(port): \(reason)")
        }
        withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &size) }
        }
        return (descriptor, Int(UInt16(bigEndian: name.sin_port)))
    }

    /// The IPv4 and IPv6 addresses of this machine's interfaces, without the loopback ones, and without IPv6's link-local ones, of
    /// which each container that starts or ends brings or takes one.
    package static func localAddresses() -> [String] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return [] }
        defer { freeifaddrs(first) }
        var addresses: Set<String> = []
        var next = first
        while let entry = next {
            next = entry.pointee.ifa_next
            guard let address = entry.pointee.ifa_addr else { continue }
            guard let name = text(of: address) else { continue }
            if !name.hasPrefix("127."), name != "::1", !name.hasPrefix("fe80:") { addresses.insert(name) }
        }
        return addresses.sorted()
    }

    /// Nil for an address that is neither IPv4 nor IPv6.
    private static func text(of address: UnsafeMutablePointer<sockaddr>) -> String? {
        let size: Int
        switch Int32(address.pointee.sa_family) {
        case AF_INET: size = MemoryLayout<sockaddr_in>.size
        case AF_INET6: size = MemoryLayout<sockaddr_in6>.size
        default: return nil
        }
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(address, socklen_t(size), &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else { return nil }
        // A link-local one has its interface behind it: fe80::1%eth0.
        return String(decoding: text.prefix { $0 != 0 && $0 != 0x25 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
