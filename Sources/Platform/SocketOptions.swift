import Glibc

/// Options of a socket (socket(7)).
package enum SocketOptions {
    /// Ends each later call that waits to send or to receive with EAGAIN.
    /// - Parameter seconds: more than 0.
    package static func setDeadline(_ seconds: Double, of descriptor: Int32) {
        var time = timeval(tv_sec: Int(seconds), tv_usec: Int(seconds * 1_000_000) % 1_000_000)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    /// Makes room for what arrives faster than it is read, up to the system's limit (net.core.rmem_max).
    package static func setReceiveBuffer(_ bytes: Int32, of descriptor: Int32) {
        var size = bytes
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
}
