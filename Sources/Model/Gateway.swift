/// What the gateway is to look like: a value that is rendered to its file and compared with what it runs.
package struct GatewayLayout: Hashable, Sendable {
    package var pools: [GatewayPool]
    package var users: [ProxyUser]
    /// Users who are over a quota, with the reason that they are told: `quota_day`.
    package var blocked: [String: Quota]
    /// Networks that nobody may reach, this machine's own addresses among them; the gateway's adapter fills them in.
    package var refused: [String]?
    /// What a country is that has no pool here.
    package var elsewhere = Elsewhere.closed

    package enum Elsewhere: Hashable, Sendable {
        case closed
        /// Every country with servers is open to its users: it has no server.
        case withoutServers
        /// The same, but the providers' lists have not come yet.
        case notListed
    }

    package init(pools: [GatewayPool] = [], users: [ProxyUser] = [], blocked: [String: Quota] = [:]) {
        self.pools = pools
        self.users = users
        self.blocked = blocked
    }
}

/// One country's backend: as many slots as `Pool.slotCount`, used or free.
package struct GatewayPool: Hashable, Sendable {
    package var country: CountryCode
    package var slots: [GatewaySlot]
    package var spread: Spread
    /// Countries that take over, in this order, while no slot is ready.
    package var fallback: [CountryCode]
    /// Slots of proved standbys, which are tried where no ready one can be reached. They drain: HAProxy gives them nothing by itself.
    package var standbys: Set<Int>
    /// Whether an exit is on its way: requests may wait for it.
    package var isComing: Bool
    /// Whether a request may ask for an exit where there is none.
    package var isOnDemand: Bool

    package init(
        country: CountryCode, slots: [GatewaySlot], spread: Spread = .leastConnections, fallback: [CountryCode] = [],
        standbys: Set<Int> = [], isComing: Bool = false, isOnDemand: Bool = false
    ) {
        self.country = country
        self.slots = slots
        self.spread = spread
        self.fallback = fallback
        self.standbys = standbys
        self.isComing = isComing
        self.isOnDemand = isOnDemand
    }

    package var backendName: String { "pool-\(country.lowercased)" }

    /// The backend that has the slots of all pools once more, for tunnels that are no HTTP.
    package static let tunnels = "tunnels"

    /// A slot's server in that backend: `pool-us.s1`.
    package func tunnelName(of slot: GatewaySlot) -> String { "\(backendName).\(slot.name)" }
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
    /// Its share of new connections among the slots of its pool, 1 to 256.
    package var weight: Int
    /// The exit in it, as sessions and the check page know it; nil for a free slot.
    package var occupant: GatewayOccupant?
    /// Milliseconds after which an exit that has not reached a target is asked whether anything comes through its tunnel; 400 to 1500.
    package var silence = 1000

    package static let standardWeight = 100

    package init(
        number: Int, endpoint: Endpoint?, state: State, weight: Int = GatewaySlot.standardWeight, occupant: GatewayOccupant? = nil
    ) {
        self.number = number
        self.endpoint = endpoint
        self.state = state
        self.weight = min(256, max(1, weight))
        self.occupant = occupant
    }

    package var name: String { "s\(number)" }
    package static func free(_ number: Int) -> GatewaySlot { GatewaySlot(number: number, endpoint: nil, state: .maintenance) }
}

/// What the gateway tells about the exit in a slot.
package struct GatewayOccupant: Hashable, Sendable {
    package var exit: ExitID
    package var generation: Int
    package var city: String?
    /// The address that the internet sees, and its country.
    package var publicAddress: String?
    package var publicCountry: CountryCode?
    /// False where it asks for no credential and must not be sent one.
    package var knowsCredential: Bool
    /// Whether targets by IPv6 can be reached through it.
    package var hasIPv6: Bool

    package init(
        exit: ExitID, generation: Int, city: String? = nil, publicAddress: String? = nil, publicCountry: CountryCode? = nil,
        knowsCredential: Bool = true, hasIPv6: Bool = false
    ) {
        self.knowsCredential = knowsCredential
        self.hasIPv6 = hasIPv6
        self.exit = exit
        self.generation = generation
        self.city = city
        self.publicAddress = publicAddress
        self.publicCountry = publicCountry
    }

    /// The city as requests name it; empty where it has none.
    package var cityWord: String { city.map(Self.word(city:)) ?? "" }

    /// A city's name as HAProxy's Lua code compares it: ASCII letters and digits in lower case, maybe none.
    package static func word(city: String) -> String { CityName.folded(city).filter(\.isASCII) }

    /// A number from 1 that no other exit or generation is likely to have: sessions remember it (FNV-1a, 32 bits).
    package var number: UInt32 {
        var hash: UInt32 = 2_166_136_261
        for byte in "\(exit)/\(generation)".utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return max(1, hash)
    }
}

/// Where the gateway may lead to.
package struct GatewayReach: Hashable, Sendable {
    package var addresses: Set<IPv4Address>
    /// False where a worker of it, or its file, could not be asked: then it may lead to others too.
    package var isWhole: Bool

    package init(addresses: Set<IPv4Address> = [], isWhole: Bool) {
        self.addresses = addresses
        self.isWhole = isWhole
    }
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
        /// Connections that the exit did not take or answer, since then.
        package var errors: Int
        package init(backend: String, slot: GatewaySlot, sessions: Int, received: Int = 0, errors: Int = 0) {
            self.backend = backend
            self.slot = slot
            self.sessions = sessions
            self.received = received
            self.errors = errors
        }
    }

    package var slots: [Slot] {
        didSet { places = Self.places(of: slots) }
    }
    /// Where each slot stands, by "pool-us/7".
    private var places: [String: Int]
    /// By the map's name, its entries; nil where nobody asked.
    package var maps: [String: [String: String]]?
    /// False where anything else is not as it was given: the file, this machine's addresses, frontends and limits, or whether it can be
    /// reached.
    package var restAgrees: Bool

    package init(slots: [Slot] = [], maps: [String: [String: String]]? = nil, restAgrees: Bool = true) {
        self.slots = slots
        self.maps = maps
        self.restAgrees = restAgrees
        places = Self.places(of: slots)
    }

    private static func places(of slots: [Slot]) -> [String: Int] {
        Dictionary(slots.enumerated().map { ("\($1.backend)/\($1.slot.number)", $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Connections that an exit of this country in this slot carries; 0 when the gateway doesn't know the slot.
    package func sessions(country: CountryCode, slot: Int) -> Int {
        entry(country: country, slot: slot)?.sessions ?? 0
    }

    /// The slot of an exit; nil when the gateway doesn't know it.
    package func entry(of exit: Exit) -> Slot? { entry(country: exit.country, slot: exit.slot) }

    private func entry(country: CountryCode, slot: Int) -> Slot? {
        places["pool-\(country.lowercased)/\(slot)"].map { slots[$0] }
    }
}
