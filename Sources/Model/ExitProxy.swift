/// An exit's proxy as a request finds it: where it listens, and which container it must be.
package struct ExitProxy: Hashable, Sendable, CustomStringConvertible {
    package var endpoint: Endpoint
    package var exit: ExitID
    package var generation: Int
    /// False where it must not be sent a credential.
    package var knowsCredential: Bool

    package init(endpoint: Endpoint, exit: ExitID, generation: Int, knowsCredential: Bool) {
        self.endpoint = endpoint
        self.exit = exit
        self.generation = generation
        self.knowsCredential = knowsCredential
    }

    package var description: String { endpoint.description }
}

/// An IPv4 address and a port.
package struct Endpoint: Hashable, Codable, Sendable, CustomStringConvertible {
    package var address: String
    package var port: Int

    package init(address: String, port: Int) {
        self.address = address
        self.port = port
    }

    package var description: String { "\(address):\(port)" }
}
