/// What the gateway is to look like: a value that is rendered to its file and compared with what it runs.
package struct GatewayLayout: Hashable, Sendable {
    package var pools: [GatewayPool]
    package var users: [ProxyUser]

    package init(pools: [GatewayPool] = [], users: [ProxyUser] = []) {
        self.pools = pools
        self.users = users
    }
}

/// One country's backend: as many slots as `Pool.slots`, used or free.
package struct GatewayPool: Hashable, Sendable {
    package var country: CountryCode
    package var slots: [GatewaySlot]

    package init(country: CountryCode, slots: [GatewaySlot]) {
        self.country = country
        self.slots = slots
    }

    package var backendName: String { "pool-\(country.lowercased)" }
}

/// A pre-made server line of a backend, which an exit is plugged into.
package struct GatewaySlot: Hashable, Sendable {
    package enum State: String, Hashable, Sendable {
        /// Takes new connections.
        case ready
        /// Finishes those that it has.
        case drain
        /// Takes none and has none.
        case maintenance = "maint"
    }

    /// 1 to `Pool.slots`.
    package var number: Int
    /// The exit's proxy; nil for a free slot.
    package var endpoint: Endpoint?
    package var state: State
    /// Its share of new connections against the others of its pool, 1 to 100.
    package var weight: Int

    package init(number: Int, endpoint: Endpoint?, state: State, weight: Int = 100) {
        self.number = number
        self.endpoint = endpoint
        self.state = state
        self.weight = weight
    }

    package var name: String { "s\(number)" }
    package static func free(_ number: Int) -> GatewaySlot { GatewaySlot(number: number, endpoint: nil, state: .maintenance) }
}

/// What the gateway runs now.
package struct GatewayObservation: Hashable, Sendable {
    package struct Slot: Hashable, Sendable {
        package var backend: String
        package var slot: GatewaySlot
        /// Connections that it carries now.
        package var sessions: Int
        /// Bytes that came from the exit since the gateway's process began.
        package var received: Int
        package init(backend: String, slot: GatewaySlot, sessions: Int, received: Int = 0) {
            self.backend = backend
            self.slot = slot
            self.sessions = sessions
            self.received = received
        }
    }

    package var slots: [Slot]
    package init(slots: [Slot] = []) { self.slots = slots }

    /// Connections that an exit of this country in this slot carries; 0 when the gateway doesn't know the slot.
    package func sessions(country: CountryCode, slot: Int) -> Int {
        entry(country: country, slot: slot)?.sessions ?? 0
    }

    package func entry(country: CountryCode, slot: Int) -> Slot? {
        slots.first { $0.backend == "pool-\(country.lowercased)" && $0.slot.number == slot }
    }
}
