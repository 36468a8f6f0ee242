import Model
import Planning
import Testing

/// Which addresses exits are given: never one that something may still lead to.
struct AddressLedgerTests {
    private static let id = ExitID(country: us, number: 1)

    private func address(_ last: Int) -> IPv4Address { IPv4Address(0xAC1E_F000 + UInt32(last)) }

    private func exit(_ id: ExitID, _ generation: Int, at address: IPv4Address?, _ state: ExitState = .serving) -> Exit {
        var exit = Exit(id: id, slot: 1, now: start)
        exit.generation = generation
        exit.state = state
        exit.endpoint = address.map { Endpoint(address: "\($0)", port: 3128) }
        return exit
    }

    @Test func `addresses come from the network's range, without those that are taken or for others`() {
        let network = IPv4Network("172.30.240.128/29").map { $0 }
        let space = AddressSpace(
            network: network ?? IPv4Network(address(0), prefix: 24), taken: [address(130)], excluded: IPv4Network(address(132), prefix: 31))
        var ledger = AddressLedger()
        var given: [IPv4Address] = []
        while let next = ledger.take(
            for: Self.id, generation: given.count, of: space, besides: [address(135)], now: start + Double(given.count))
        {
            given.append(next)
        }
        #expect(given == [128, 129, 131, 134].map(address))
        #expect(ledger.take(for: Self.id, generation: 9, of: space, now: start + 9) == address(135))
        #expect(ledger.take(for: Self.id, generation: 10, of: space, now: start + 10) == nil)
    }

    @Test func `an address is given again as late as can be, and only once it was let go`() {
        let space = AddressSpace(network: IPv4Network(address(0), prefix: 29), taken: [address(0), address(7)])
        var ledger = AddressLedger()
        for turn in 1...4 { #expect(ledger.take(for: Self.id, generation: turn, of: space, now: start + Double(turn)) == address(turn)) }
        ledger.release([address(2)])
        #expect(ledger.take(for: Self.id, generation: 5, of: space, now: start + 5) == address(5))
        #expect(ledger.take(for: Self.id, generation: 6, of: space, now: start + 6) == address(6))
        #expect(ledger.take(for: Self.id, generation: 7, of: space, now: start + 7) == address(2))
        #expect(ledger.take(for: Self.id, generation: 8, of: space, now: start + 8) == nil)
    }

    @Test func `what an exit or a container has is not idle, nor what a container that is being made will have`() {
        let space = AddressSpace(network: IPv4Network(address(0), prefix: 24), taken: [address(0)])
        var ledger = AddressLedger()
        _ = ledger.take(for: Self.id, generation: 1, of: space, now: start)
        #expect(ledger.idle([Self.id: exit(Self.id, 1, at: nil, .starting)], []).isEmpty)
        #expect(ledger.idle([Self.id: exit(Self.id, 2, at: nil, .starting)], []) == [address(1)])
        #expect(ledger.idle([Self.id: exit(Self.id, 1, at: nil, .pending)], []) == [address(1)])
        #expect(ledger.idle([Self.id: exit(Self.id, 2, at: address(1))], []).isEmpty)
        let container = ExitContainer(
            name: "a", exit: Self.id, generation: 1, isRunning: true, endpoint: Endpoint(address: "\(address(1))", port: 3128),
            exitCode: nil)
        #expect(ledger.idle([:], [container]).isEmpty && ledger.idle([:], []) == [address(1)])
        // An earlier version's, of which nothing was written down.
        ledger.note([exit(ExitID(country: us, number: 2), 4, at: address(9))], [], now: start)
        ledger.note([address(11)], now: start)
        #expect(ledger.idle([:], []) == [address(1), address(9), address(11)])
    }

    @Test func `the store is told of each change once, and again where it did not take it`() {
        let space = AddressSpace(network: IPv4Network(address(0), prefix: 24), taken: [address(0)])
        var ledger = AddressLedger()
        _ = ledger.take(for: Self.id, generation: 1, of: space, now: start)
        let first = ledger.writes.begin()
        #expect(ledger.holders(of: first) == [address(1): HeldAddress(exit: Self.id, generation: 1, since: start)])
        #expect(ledger.writes.begin().isEmpty)
        ledger.writes.end(first, isWritten: false)
        ledger.release([address(1)])
        #expect(ledger.holders(of: ledger.writes.begin()) == [address(1): nil])
    }

    /// A world of exits that come, die and are replaced, gateways that hang and forget, and controllers that take over.
    @Test(arguments: 1...60) func `never an address that the gateway may lead to, that a container has, or that is held`(seed: UInt64) {
        var random = SplitMix64(state: seed)
        let space = AddressSpace(network: IPv4Network(address(0), prefix: 27), taken: [address(0), address(1), address(31)])
        var (ledger, stored) = (AddressLedger(), [IPv4Address: HeldAddress]())
        var exits: [ExitID: Exit] = [:]
        var containers: [ExitID: (generation: Int, address: IPv4Address)] = [:]
        // What each worker leads to, the newest first; the file; and whether anybody can see or change it.
        var (workers, file, isSeen) = ([Set<IPv4Address>()], Set<IPv4Address>(), true)
        var given = 0
        func store(_ ledger: inout AddressLedger) {
            let changed = ledger.writes.begin()
            for (address, holder) in ledger.holders(of: changed) { stored[address] = holder }
            ledger.writes.end(changed, isWritten: true)
        }
        for turn in 0..<400 {
            let now = start + Double(turn)
            let id = ExitID(country: us, number: Int.random(in: 1...6, using: &random))
            switch Int.random(in: 0..<10, using: &random) {
            case 0...3:
                let generation = (exits[id]?.generation ?? 0) + 1
                exits[id] = exit(id, generation, at: nil, .starting)
                let before = ledger
                guard let address = ledger.take(for: id, generation: generation, of: space, now: now) else { break }
                given += 1
                let led = workers.reduce(file) { $0.union($1) }
                #expect(!led.contains(address), "the gateway leads to \(address)")
                #expect(!containers.values.contains { $0.address == address } && before.held[address] == nil && space.offers(address))
                store(&ledger)
                containers[id] = (generation, address)
                exits[id] = exit(id, generation, at: address)
            case 4:
                containers[id] = nil
                exits[id]?.state = .pending
                exits[id]?.endpoint = nil
            case 5: isSeen.toggle()
            case 6 where isSeen: workers = [workers[0]] + workers  // A reload: the old one keeps what it had.
            case 7 where workers.count > 1: workers.removeLast()
            case 8:
                // Another controller, which knows what the store knows.
                ledger = AddressLedger(held: stored)
            default: break
            }
            if isSeen {
                workers[0] = Set(exits.values.compactMap { $0.endpoint.flatMap { IPv4Address($0.address) } })
                file = workers[0]
                ledger.note(exits.values, [], now: now)
                ledger.release(
                    ledger.idle(exits, []).subtracting(workers.reduce(file) { $0.union($1) }).subtracting(containers.values.map(\.address)))
                store(&ledger)
            }
        }
        #expect(given > 40)
    }
}
