import Platform
import Synchronization

/// Rows that Redis has forgotten are lost, not removed: who knows them writes them back.
extension SignedTables {
    private static let remedy =
        "set maxmemory-policy noeviction if this Redis evicts; else find out who deletes in it, or what has set it back"

    /// Writes the rows of a table that are gone, and that this controller knows, back under the signature that still names them.
    /// - Returns: false where none could be.
    func giveBack(_ table: SignedTable, _ guards: Guards) async throws -> Bool {
        let reading = try await read(table)
        return try await giveBack(reading.missing, of: table, under: reading.root ?? "", guards) > 0
    }

    /// - Parameter root: the signature's, as it was when these were found missing.
    /// - Returns: how many were known, and written.
    func giveBack(_ missing: [String], of table: SignedTable, under root: String, _ guards: Guards) async throws -> Int {
        guard let known = state.withLock({ $0.known[table] }), known.root == root else { return 0 }
        let commands = missing.compactMap { field in known.rows?[field].map { ["HSETNX", key(table), field, $0] } }
        guard !commands.isEmpty else { return 0 }
        // In pieces, so that no script holds Redis up.
        for start in stride(from: 0, to: commands.count, by: 2000) {
            let piece = Array(commands[start..<min(start + 2000, commands.count)])
            let sent = try await send(piece, expecting: root, table, Guards(fence: guards.fence, isChange: true))
            guard sent == .done else { return start }
        }
        let message =
            "\(commands.count) rows of \(key(table)) were gone from Redis, and nobody had removed them; they are written back"
        state.withLock { $0.restoredAt["store/\(table.rawValue)"] = .now }
        concerns.raise("store/\(table.rawValue)", message, remedy: Self.remedy)
        concerns.note(message)
        return commands.count
    }

    /// Writes back that this store is signed, where Redis has forgotten it: without that a controller that starts takes nothing of it.
    func keepTrust(fence: @escaping @Sendable () -> Int?) async {
        guard let authenticator, isSigned, let number = fence(), let users = state.withLock({ $0.known[.users] }),
            (try? await connection.command(["EXISTS", trustKey]))?.integer == 0
        else { return }
        let commands = [["SET", trustKey, authenticator.code(trustParts)]]
        guard (try? await send(commands, expecting: users.root, .users, Guards(fence: { number }))) == .done else { return }
        concerns.note("\(trustKey) was gone from Redis; it is written back")
    }
}
