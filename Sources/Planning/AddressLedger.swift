package import Model

/// Which addresses of the exits' network are held: those that were given to an exit and that a gateway may still lead to. Pure.
///
/// An address is held before its container is made, and given again only when three have let go of it: the exit that it was given
/// to, every container, and the gateway with all of its workers and its file.
package struct AddressLedger: Sendable, Equatable {
    package private(set) var held: [IPv4Address: HeldAddress]
    package var writes = WriteBehind<IPv4Address>()

    package init(held: [IPv4Address: HeldAddress] = [:]) { self.held = held }

    /// Holds a free address for an exit: the first one behind the one that was given last, so that each is given again as late as can
    /// be. Nil where none is free.
    package mutating func take(
        for exit: ExitID, generation: Int, of space: AddressSpace, besides others: Set<IPv4Address> = [], now: Timestamp
    ) -> IPv4Address? {
        let last = held.max { ($0.value.since, $0.key) < ($1.value.since, $1.key) }?.key
        let range = space.network.first.number...space.network.last.number
        let start = last.flatMap { range.contains($0.number) ? $0.number : nil } ?? range.upperBound
        var next = start
        repeat {
            next = next == range.upperBound ? range.lowerBound : next + 1
            let address = IPv4Address(next)
            guard space.offers(address), held[address] == nil, !others.contains(address) else { continue }
            hold(address, for: HeldAddress(exit: exit, generation: generation, since: now))
            return address
        } while next != start
        return nil
    }

    /// Holds what exits and containers have that were not given an address from here: those of an earlier version.
    package mutating func note(_ exits: some Sequence<Exit>, _ containers: [ExitContainer], now: Timestamp) {
        for exit in exits {
            guard let address = exit.endpoint.flatMap({ IPv4Address($0.address) }), held[address] == nil else { continue }
            hold(address, for: HeldAddress(exit: exit.id, generation: exit.generation, since: now))
        }
        for container in containers {
            guard let address = container.endpoint.flatMap({ IPv4Address($0.address) }), held[address] == nil else { continue }
            hold(address, for: HeldAddress(exit: container.exit, generation: container.generation, since: now))
        }
    }

    /// Holds where the gateway leads to, whoever was there.
    package mutating func note(_ addresses: Set<IPv4Address>, now: Timestamp) {
        for address in addresses where held[address] == nil { hold(address, for: HeldAddress(exit: nil, generation: 0, since: now)) }
    }

    /// The exit did not get it: something else on the network has it.
    package mutating func disown(_ address: IPv4Address) {
        held[address]?.exit = nil
        writes.mark(address)
    }

    private mutating func hold(_ address: IPv4Address, for holder: HeldAddress) {
        held[address] = holder
        writes.mark(address)
    }

    /// Those that neither an exit nor a container has. None of them can be had again before it is let go.
    package func idle(_ exits: [ExitID: Exit], _ containers: [ExitContainer]) -> Set<IPv4Address> {
        let endpoints = exits.values.compactMap(\.endpoint) + containers.compactMap(\.endpoint)
        let used = Set(endpoints.compactMap { IPv4Address($0.address) })
        return Set(
            held.compactMap { address, holder in
                guard !used.contains(address) else { return nil }
                // Its container is being made.
                if let id = holder.exit, let exit = exits[id], exit.generation == holder.generation, exit.keepsContainer { return nil }
                return address
            })
    }

    /// Lets go of those that the gateway was seen without.
    package mutating func release(_ addresses: Set<IPv4Address>) {
        for address in addresses where held.removeValue(forKey: address) != nil { writes.mark(address) }
    }

    // MARK: - The store

    /// What the store is to have of these; nil for one that is held no more.
    package func holders(of addresses: Set<IPv4Address>) -> [IPv4Address: HeldAddress?] {
        Dictionary(uniqueKeysWithValues: addresses.map { ($0, held[$0]) })
    }

    /// Marks all of them, for a store that has lost them.
    package mutating func markAll() { writes.mark(held.keys) }
}
