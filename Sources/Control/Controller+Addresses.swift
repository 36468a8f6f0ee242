import Model
import Planning
import Platform

/// Addresses of exits: chosen here, and not given again while the gateway may still lead to them.
extension Controller {
    /// Makes an exit's container at an address that nothing leads to.
    func launchAtFreeAddress(_ specification: ExitSpecification) async throws -> (container: String, endpoint: Endpoint) {
        var specification = specification
        var refused: Set<IPv4Address> = []
        while true {
            let space = try await ports.engine.addressSpace()
            await noteGatewaysAddresses()
            let taken = term.addresses.ledger.take(
                for: specification.id, generation: specification.generation, of: space, besides: refused, now: ports.now())
            guard let address = taken else { throw noAddress(space) }
            await saveAddresses()
            specification.address = "\(address)"
            do { return try await ports.engine.launch(specification) } catch is AddressInUse {
                // Somebody else's container has it, which may have come a moment ago.
                ports.log.info("the engine refuses an address that is already in use on the network", ["address": "\(address)"])
                term.addresses.ledger.disown(address)
                refused.insert(address)
                guard refused.count < 16 else { throw noAddress(space) }
            }
        }
    }

    private func noAddress(_ space: AddressSpace) -> ExitFailure {
        let count = term.addresses.ledger.held.keys.count { space.network.contains($0) }
        return ExitFailure(
            reason: .noAddress,
            detail:
                "no address of network \(space.name) (\(space.network)) is free: \(count) are used by exits, or may still be in the gateway"
        )
    }

    /// Once in a term: an earlier version held no addresses, and its gateway may lead to some.
    private func noteGatewaysAddresses() async {
        guard !term.addresses.knowsGateways else { return }
        let term = term
        let reach = await ports.gateway.reach()
        guard term === self.term else { return }
        term.addresses.ledger.note(reach.addresses, now: ports.now())
        term.addresses.knowsGateways = reach.isWhole
    }

    /// Holds what was made without us, and lets go of what nobody has any more, where the gateway shows that it does not lead there.
    func reviewAddresses(_ containers: [ExitContainer]?) async {
        guard let containers else { return }
        term.addresses.ledger.note(exits.values, containers, now: ports.now())
        let idle = term.addresses.ledger.idle(exits, containers)
        if !idle.isEmpty, term.gateway.published != nil, problem(.gateway) == nil {
            let term = term
            // What is idle stays so until it is let go: it is not given to anybody meanwhile.
            let reach = await ports.gateway.reach()
            guard term === self.term, ports.leadership.isLeader else { return }
            if reach.isWhole { term.addresses.ledger.release(idle.subtracting(reach.addresses)) }
        }
        if !term.addresses.ledger.writes.pending.isEmpty { await saveAddresses() }
    }

    /// Tells the store, so that whoever comes after us gives none of them to another exit. A store that hangs is not waited for.
    private func saveAddresses() async {
        let save = spawn { await $0.saveAddressesNow() }
        if problem(.store) == nil { _ = await ports.result(of: save, within: settings.saveSeconds) }
    }

    private func saveAddressesNow() async {
        await saves.withLock {
            let term = term
            let addresses = term.addresses.ledger.writes.begin()
            let isWritten = await write(addresses) { try await ports.store.save(addresses: term.addresses.ledger.holders(of: $0)) }
            term.addresses.ledger.writes.end(addresses, isWritten: isWritten)
        }
    }
}
