/// The addresses of a network that exits can be given.
package struct AddressSpace: Hashable, Sendable {
    package var network: IPv4Network
    /// Those that something has, or that nothing may have.
    package var taken: Set<IPv4Address>
    /// A part of the network that is not for exits.
    package var excluded: IPv4Network?
    /// The network's name, for people.
    package var name: String

    package init(network: IPv4Network, taken: Set<IPv4Address>, excluded: IPv4Network? = nil, name: String = "") {
        self.network = network
        self.taken = taken
        self.excluded = excluded
        self.name = name
    }

    package func offers(_ address: IPv4Address) -> Bool {
        network.contains(address) && !taken.contains(address) && !(excluded?.contains(address) ?? false)
    }
}

/// An address that was given to an exit, and is not given again before the gateway was seen without it.
package struct HeldAddress: Hashable, Codable, Sendable {
    /// Nil where it was found in the gateway, and nobody knows whose it was.
    package var exit: ExitID?
    package var generation: Int
    package var since: Timestamp

    package init(exit: ExitID?, generation: Int, since: Timestamp) {
        self.exit = exit
        self.generation = generation
        self.since = since
    }
}
