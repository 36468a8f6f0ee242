/// What several controllers know together. Every call may throw when it does not answer; each user then goes on by itself.
package protocol SharedMemory: Sendable {
    /// Adds to counters that live for `seconds`, and returns what they are then, in the same order.
    func add(_ counts: [(key: String, amount: Int)], seconds: Int) async throws -> [Int]
    func remove(_ keys: [String]) async throws
    /// Sets a value that nobody has set; returns nil then, else the value that is there.
    func claim(_ key: String, _ value: String, seconds: Int) async throws -> String?
    func put(_ key: String, _ value: String, seconds: Int) async throws
}
