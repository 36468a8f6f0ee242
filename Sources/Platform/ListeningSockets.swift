package import Glibc

/// The TCP sockets of this network that listen, as /proc tells of them.
package struct ListeningSockets: Sendable {
    /// As /proc names an open one: `socket:[4711]`.
    private let names: Set<String>

    /// - Parameter port: nil for those on any.
    package init(on port: Int? = nil) {
        let lines = ["/proc/net/tcp", "/proc/net/tcp6"].compactMap { try? Files.read($0, limit: 64 << 20) }.flatMap {
            $0.split(separator: "\n")
        }
        names = Set(
            lines.compactMap { line in
                let words = line.split(separator: " ")
                // The second is the address with the port, the fourth the state (0A: LISTEN), the tenth the inode.
                guard words.count > 9, words[3] == "0A", let number = words[1].split(separator: ":").last else { return nil }
                return port.map { $0 == Int(number, radix: 16) } ?? true ? "socket:[\(words[9])]" : nil
            })
    }

    package var isEmpty: Bool { names.isEmpty }

    /// True where a process has one of them open; false also where this user may not see that.
    package func areOpen(in pid: pid_t) -> Bool {
        let folder = "/proc/\(pid)/fd"
        return ((try? Files.list(folder)) ?? []).contains { names.contains(Files.target(of: "\(folder)/\($0)")) }
    }
}
