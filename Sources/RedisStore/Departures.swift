import Synchronization

/// How often the server behind an address was found not to take writes: all connections to that address are then made anew, also
/// those that only read.
enum Departures {
    private static let counts = Mutex<[String: Int]>([:])

    static func count(of address: RedisAddress) -> Int { counts.withLock { $0["\(address)"] ?? 0 } }
    static func note(_ address: RedisAddress) { counts.withLock { $0["\(address)", default: 0] += 1 } }
}
