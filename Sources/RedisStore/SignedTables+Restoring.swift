import Model
import Platform
import Synchronization

/// Rows that Redis has forgotten are lost, not removed: who knows them writes them back. So are rows that somebody has altered.
extension SignedTables {
    private static let remedy =
        "set maxmemory-policy noeviction if this Redis evicts; else find out who writes and deletes in it, or what has set it back"
    /// Rows in one script, so that none holds Redis up.
    private static let piece = 2000

    /// Writes what is lost or altered of a table, and what this controller knows, back under the signature that still names it.
    /// - Parameter reading: what was found, with the signature as it was then.
    /// - Returns: how many rows and lists of codes were known, and written.
    func restoreRows(_ reading: Reading, of table: SignedTable, _ guards: Guards) async throws -> Int {
        guard let root = reading.root, let known = state.withLock({ $0.known[table] }), known.root == root else { return 0 }
        // Under the same root no controller has written since, so whatever stands there now is nobody's of ours.
        let rows = (reading.missing + reading.altered).compactMap { field in known.rows?[field].map { ["HSET", key(table), field, $0] } }
        let lists = reading.brokenLists.compactMap { number in
            known.signature.lists[number].flatMap { $0.isBroken ? nil : ["HSET", signatureKey(table), String(number), $0.text] }
        }
        let commands = rows + lists
        guard !commands.isEmpty else { return 0 }
        for start in stride(from: 0, to: commands.count, by: Self.piece) {
            let piece = Array(commands[start..<min(start + Self.piece, commands.count)])
            let sent = try await send(piece, expecting: root, table, Guards(fence: guards.fence, isChange: true))
            guard sent == .done else { return start }
        }
        noteRestored(table, rows: rows.count, lists: lists.count)
        return commands.count
    }

    private func noteRestored(_ table: SignedTable, rows: Int, lists: Int) {
        let what = [
            rows == 0 ? nil : "\(rows) rows of \(key(table)) were gone from Redis or altered in it",
            lists == 0 ? nil : "\(lists) lists of codes of \(key(table)) were gone from Redis or altered in it",
        ]
        let message = "\(what.compactMap(\.self).joined(separator: ", and ")), and no controller had done that; they are written back"
        state.withLock { $0.restoredAt[table] = .now }
        alertReporter.raise(.table(table.rawValue), message, remedy: Self.remedy)
        alertReporter.note(message)
    }

    func gone(_ table: SignedTable, _ reading: Reading) -> RedisError {
        let (count, names) = (reading.missing.count, reading.missing.sorted().prefix(5).joined(separator: ", "))
        let isAll = reading.rows.isEmpty && reading.refused.isEmpty
        let what =
            !reading.brokenLists.isEmpty
            ? "\(signatureKey(table)) has lost codes of rows, or they were altered"
            : isAll
                ? "\(key(table)) is gone, with \(count) rows that nobody has removed"
                : "\(key(table)) lacks \(count) rows that nobody has removed (\(names)\(count > 5 ? ", ..." : ""))"
        return RedisError(
            code: .distrusted,
            message: "\(what), so nothing is planned or removed; restore a copy of Redis's data, or accept the store as it is by"
                + " `sallyport store adopt --all`; maxmemory-policy must be noeviction")
    }

    /// Writes back that this store is signed, where Redis has forgotten it: without that a controller that starts takes nothing of it.
    func keepTrust(fence: @escaping @Sendable () -> Int?) async {
        guard let authenticator, isSigned, let number = fence(), let users = state.withLock({ $0.known[.users] }),
            (try? await connection.command(["EXISTS", trustKey]))?.integer == 0
        else { return }
        let commands = [["SET", trustKey, authenticator.code(trustParts)]]
        guard (try? await send(commands, expecting: users.root, .users, Guards(fence: { number }))) == .done else { return }
        alertReporter.note("\(trustKey) was gone from Redis; it is written back")
    }
}
