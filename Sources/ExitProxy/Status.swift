internal import Synchronization

/// How often something was done, how often in vain, and how long all of it took. Thread-safe.
final class Durations: Sendable {
    private let count = Atomic<Int>(0)
    private let failures = Atomic<Int>(0)
    private let milliseconds = Atomic<Int>(0)

    func record(_ duration: Int, isFailure: Bool) {
        count.add(1, ordering: .relaxed)
        milliseconds.add(duration, ordering: .relaxed)
        if isFailure { failures.add(1, ordering: .relaxed) }
    }

    func lines(_ name: String) -> String {
        let (count, failures) = (count.load(ordering: .relaxed), failures.load(ordering: .relaxed))
        return "\(name)s \(count)\n\(name)s_failed \(failures)\n\(name)_milliseconds \(milliseconds.load(ordering: .relaxed))\n"
    }
}

extension Shared {
    /// The answer to who asks for the status: figures, one in a line, and behind them what the entry point says of the tunnel.
    func status(_ tunnel: ArraySlice<UInt8>) -> String {
        let text =
            "version \(Proxy.version)\nconnections \(table.connections)\nconnections_limit \(table.limit)\n\(lookUps.lines("lookup"))"
            + connects.lines("connect") + String(decoding: tunnel, as: UTF8.self)
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: \(text.utf8.count)\r\nConnection: close\r\n\r\n"
        return head + text
    }
}
