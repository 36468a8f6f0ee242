import Glibc
package import Model
import Platform

/// An address at which a connection is never made, and never refused: its queue is full, and nobody takes anything from it.
package final class FullListener: Sendable {
    package let endpoint: Endpoint
    private let descriptors: [Int32]

    package init(address: String = ScriptedServer.ownAddress()) throws {
        let (listener, port) = try Ports.listen(address, 0)
        // A queue of 0 takes one.
        Glibc.listen(listener, 0)
        endpoint = Endpoint(address: address, port: port)
        descriptors =
            [listener]
            + (0..<2).map { _ in
                let filler = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
                _ = SocketAddress(address, port: port)?.connect(filler)
                return filler
            }
    }

    deinit { for descriptor in descriptors { close(descriptor) } }
}
