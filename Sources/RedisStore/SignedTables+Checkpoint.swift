import FoundationEssentials
import Platform
import Synchronization

/// The signed tables as the leader has last known them, in a file: what Redis has lost can be given back after a restart too.
struct Checkpoint: Codable {
    struct Table: Codable {
        var rows: [String: String]
        /// As it is stored beside the table; so no more is believed here than in Redis.
        var signature: [String: String]
    }

    /// The fencing number under which it was written.
    var fence: Int
    var tables: [String: Table]
}

extension SignedTables {
    /// Bytes that are read of a file.
    private static let limit = 256 << 20

    /// Writes the tables to a file (0600), a second after they have changed or a term has begun at the latest, until it is cancelled.
    /// - Parameter fence: the fencing number under which this controller leads; nil where it does not.
    package func keepCheckpoint(_ path: String, fence: @escaping @Sendable () -> Int?) async {
        var (written, number, isFailing): ([SignedTable: String], Int?, Bool) = ([:], nil, false)
        // At once too: a controller that ends soon after its start leaves a copy of its term.
        while !Task.isCancelled {
            let known = state.withLock { $0.known }
            let roots = known.mapValues(\.root)
            if let now = fence(), roots != written || now != number, Self.isWhole(known) {
                do {
                    try await Blocking.run { try Self.write(known, fence: now, to: path) }
                    (written, number, isFailing) = (roots, now, false)
                } catch {
                    if !isFailing { log.warning("the copy of the store can't be written to data_dir", ["error": "\(error)"]) }
                    isFailing = true
                }
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// True where each table is known to the last row that its signature names.
    private static func isWhole(_ known: [SignedTable: Known]) -> Bool {
        SignedTable.allCases.allSatisfy { table in
            guard let known = known[table], let rows = known.rows else { return false }
            return known.isCurrent && !known.signature.hasBrokenLists && rows.count == known.signature.fields.count
        }
    }

    private static func write(_ known: [SignedTable: Known], fence: Int, to path: String) throws {
        var checkpoint = Checkpoint(fence: fence, tables: [:])
        for (table, known) in known {
            var signature = known.signature.lists.reduce(into: [:]) { $0[String($1.key)] = $1.value.text }
            signature["root"] = known.root
            checkpoint.tables[table.rawValue] = .init(rows: known.rows ?? [:], signature: signature)
        }
        try Files.write(String(decoding: try JSONEncoder().encode(checkpoint), as: UTF8.self), to: path, mode: 0o600)
    }

    /// Takes what the file holds for known, before the store is asked for anything. A file that is older than what `data_dir` remembers of a
    /// table, that another leader has come after, or that is not ours, is left aside.
    /// - Parameter fence: the last leader's fencing number, as this machine knows it.
    package func recall(_ path: String, fence: Int) {
        guard let authenticator, let text = try? Files.read(path, limit: Self.limit),
            let checkpoint = try? JSONDecoder().decode(Checkpoint.self, from: Data(text.utf8)), checkpoint.fence == fence
        else { return }
        var found: [SignedTable: Known] = [:]
        for table in SignedTable.allCases {
            guard let known = known(table, in: checkpoint, authenticator) else { return }
            found[table] = known
        }
        guard Self.isWhole(found) else { return }
        state.withLock { $0.known = found }
    }

    /// Nil for a table that is missing, is not ours, or is older than what `data_dir` remembers of it.
    private func known(_ table: SignedTable, in checkpoint: Checkpoint, _ authenticator: Authenticator) -> Known? {
        guard let stored = checkpoint.tables[table.rawValue], let root = stored.signature["root"],
            let signature = try? TableSignature(stored.signature, of: key(table), authenticator)
        else { return nil }
        if table.mayNotGoBack, let mark = marks[markName(table)] {
            let isSame = String(Digest.sha256(root).prefix(32)) == mark.digest
            guard signature.revision > mark.number || signature.revision == mark.number && isSame else { return nil }
        }
        let rows = stored.rows.filter { field, value in
            signature.code(of: field) == TableSignature.rowCode(key(table), field, value, keyID: signature.keyID, authenticator)
        }
        return Known(signature: signature, root: root, rows: rows)
    }

    /// Gives back what this controller knows and the store has lost.
    package func recover(fence: @escaping @Sendable () -> Int?) async {
        for table in SignedTable.allCases { await check(table, fence: fence) }
    }

    /// Finds out whether the store is signed by our key; where it has forgotten that, and holds nothing that a controller has written
    /// since the file was, it is signed anew.
    /// - Throws: as `checkTrust`
    package func checkTrustOrRecall() async throws {
        do { try await checkTrust() } catch let error as RedisError where error.code == .distrusted {
            guard try await signAgain() else { throw error }
            try await checkTrust()
        }
    }

    private func signAgain() async throws -> Bool {
        let known = state.withLock { $0.known }
        guard let authenticator, Self.isWhole(known), hasUsedStore, try await connection.command(["EXISTS", trustKey]).integer == 0 else {
            return false
        }
        let tables = SignedTable.allCases.filter(\.mayNotGoBack)
        let roots = try await connection.transaction(tables.map { ["HGET", signatureKey($0), "root"] }).map(\.text)
        guard zip(tables, roots).allSatisfy({ $1 == nil || $1 == known[$0]?.root }) else { return false }
        try await connection.command(["SET", trustKey, authenticator.code(trustParts), "NX"])
        alertReporter.note("\(trustKey) was gone from Redis; it is written back, and other lost rows are restored from data_dir")
        return true
    }
}
