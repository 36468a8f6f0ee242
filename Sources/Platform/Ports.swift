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

    /// Who listens on a port of this machine; nil where nobody does, or this user may not see who.
    package static func holder(of port: Int) -> (pid: Int32, name: String)? {
        let sockets = ListeningSockets(on: port)
        guard !sockets.isEmpty else { return nil }
        let processes = ((try? Files.list("/proc")) ?? []).lazy.compactMap { pid_t($0) }
        guard let pid = processes.first(where: sockets.areOpen) else { return nil }
        let name = ((try? Files.read("/proc/\(pid)/comm")) ?? "").filter { !$0.isWhitespace }
        return (pid, name.isEmpty ? "?" : name)
    }

    /// A listening, non-blocking socket, and the port that it got.
    /// - Parameter port: 0 lets the system choose.
    package static func listen(_ address: String, _ port: Int) throws -> (descriptor: Int32, port: Int) {
        guard let name = SocketAddress(address, port: port) else {
            throw PortError(message: "can't listen on \(address): not an IPv4 address")
        }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw PortError(message: String(cString: strerror(errno))) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard name.bind(descriptor), Glibc.listen(descriptor, 1024) == 0 else {
            let reason = errno == EADDRINUSE ? "the port is in use" : String(cString: strerror(errno))
            close(descriptor)
            throw PortError(message: "can't listen on \(address):\(port): \(reason)")
        }
        return (descriptor, SocketAddress.port(of: descriptor))
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
            // Without the interface of a link-local one.
            guard let name = SocketAddress.text(of: address).map({ String($0.prefix { $0 != "%" }) }) else { continue }
            if !name.hasPrefix("127."), name != "::1", !name.hasPrefix("fe80:") { addresses.insert(name) }
        }
        return addresses.sorted()
    }
}
