import Model
package import Platform
import Synchronization

/// Rows that count only with our code: reading them, and writing them together with their signature.
///
/// | key | type | holds |
/// | --- | --- | --- |
/// | `<prefix>:<table>:signed` | hash | `root`, and the lists of the rows' codes (`TableSignature`) |
/// | `<prefix>:trust` | string | which root key this store is signed with |
///
/// A store that was never signed is read and written as it is, until the controller that leads signs it (`SignedTables+Trust`).
package final class SignedTables: Sendable {
    /// The rows of a table that count, and why others don't.
    package struct Reading: Sendable {
        package var rows: [String: String] = [:]
        /// Field to reason. They are left where they are.
        package var refused: [String: String] = [:]
        /// Rows of ours that are not there any more.
        package var missing: [String] = []
        /// Refused rows of which the signature knows another text.
        var altered: [String] = []
        /// Lists of codes that are gone or altered, also where this controller knows them.
        var brokenLists: [Int] = []
        var signature: TableSignature?
        var root: String?

        /// True where something of ours is lost.
        var isLacking: Bool { !missing.isEmpty || !brokenLists.isEmpty }
    }

    /// What is known of a table since it was last read or written.
    struct Known: Sendable {
        var signature: TableSignature
        var root: String
        /// The rows that count; nil where they were not read yet.
        var rows: [String: String]?
        /// False where another controller has changed it since.
        var isCurrent = true
    }

    struct State: Sendable {
        var known: [SignedTable: Known] = [:]
        var isSigned = false
        /// Refused rows that were logged.
        var logged: Set<String> = []
        /// When an alert's table was put right.
        var restoredAt: [SignedTable: ContinuousClock.Instant] = [:]
    }

    let connection: RedisConnection
    let prefix: String
    /// Nil where nothing is signed.
    let authenticator: Authenticator?
    let marks: HighMarks
    let alertReporter: AlertReporter
    let log: Log
    /// How a value is stored: sealed where it holds a secret.
    let sealer: Sealer?
    let state = Mutex(State())
    private let mutex = AsyncMutex()

    package init(
        connection: RedisConnection, prefix: String, rootKey: RootKey? = nil, marks: HighMarks = HighMarks(path: nil),
        alertReporter: AlertReporter = AlertReporter(), log: Log = .none
    ) {
        self.connection = connection
        self.prefix = prefix
        authenticator = rootKey.map { Authenticator($0, purpose: "store/mac") }
        sealer = rootKey.map { Sealer($0, purpose: "store/seal") }
        self.marks = marks
        self.alertReporter = alertReporter
        self.log = log
    }

    package func key(_ table: SignedTable) -> String { "\(prefix):\(table.rawValue)" }
    func signatureKey(_ table: SignedTable) -> String { "\(key(table)):signed" }
    package var isSigned: Bool { state.withLock { $0.isSigned } }

    // MARK: - Reading

    /// The rows that count.
    /// - Throws: `RedisError` with `distrusted` where the table as a whole can't be trusted.
    package func rows(_ table: SignedTable) async throws -> [String: String] {
        let reading = try await read(table)
        logUnused(reading, of: table)
        return reading.rows
    }

    private func logUnused(_ reading: Reading, of table: SignedTable) {
        for (field, reason) in reading.refused.sorted(by: { $0.key < $1.key }) { logUnused("\(key(table))/\(field)", reason) }
        for field in reading.missing.sorted() { logUnused("\(key(table))/\(field)", "is gone, and nobody has removed it") }
    }

    /// The rows that count, of a table of which no row may be lost: a Redis that evicts forgets whole keys, somebody else deletes rows, and
    /// the signature still names them then.
    /// - Throws: `RedisError` with `distrusted`, also where a row is lost.
    func wholeRows(_ table: SignedTable) async throws -> [String: String] {
        let reading = try await read(table)
        if reading.isLacking { throw gone(table, reading) }
        logUnused(reading, of: table)
        return reading.rows
    }

    func logUnused(_ row: String, _ reason: String) {
        guard state.withLock({ $0.logged.insert("\(row) \(reason)").inserted }) else { return }
        log.error("a row of the store is not used: it \(reason)", ["row": row])
    }

    package func read(_ table: SignedTable) async throws -> Reading {
        try await checkTrust()
        // From before the question: what is written meanwhile is no reason to find an answer too old.
        let mark = marks[markName(table)]
        let (rows, texts) = try await stored(table)
        guard let authenticator, isSigned else { return Reading(rows: rows) }
        let reading = try check(rows, texts, of: table, authenticator, mark)
        know(reading, of: table)
        return reading
    }

    /// What Redis holds of a table, and of its signature, at one moment.
    func stored(_ table: SignedTable) async throws -> (rows: [String: String], signature: [String: String]) {
        let replies = try await connection.transaction([["HGETALL", key(table)], ["HGETALL", signatureKey(table)]])
        return (Self.pairs(replies[0]), Self.pairs(replies[1]))
    }

    private func know(_ reading: Reading, of table: SignedTable) {
        guard let signature = reading.signature else { return }
        let root = reading.root ?? ""
        state.withLock { state in
            guard signature.revision >= state.known[table]?.signature.revision ?? 0 || !table.mayNotGoBack else { return }
            // A row that is gone or was altered is still known as it was.
            let rows = state.known[table].flatMap { $0.root == root ? $0.rows : nil } ?? reading.rows
            state.known[table] = Known(signature: signature, root: root, rows: rows)
        }
    }

    private func check(
        _ stored: [String: String], _ texts: [String: String], of table: SignedTable, _ authenticator: Authenticator,
        _ mark: HighMarks.Mark?
    ) throws -> Reading {
        var signature = try signature(from: texts, of: table, authenticator, mark)
        let brokenLists = signature.brokenLists
        // The same root names the same lists.
        if let known = state.withLock({ $0.known[table] }), known.root == texts["root"], !known.signature.hasBrokenLists {
            signature = known.signature
        }
        var reading = Reading(brokenLists: brokenLists, signature: signature, root: texts["root"])
        for (field, value) in stored {
            guard let code = signature.code(of: field) else {
                reading.refused[field] = "carries no code of a controller of this store"
                continue
            }
            let right = TableSignature.rowCode(key(table), field, value, keyID: signature.keyID, authenticator)
            if let right, Digest.equal(right, code) {
                reading.rows[field] = value
            } else {
                reading.refused[field] = "was altered, or set back to an earlier state"
                reading.altered.append(field)
            }
        }
        reading.missing = signature.fields.filter { stored[$0] == nil }
        return reading
    }

    /// The signature that is stored, if it is ours and not older than what we remember.
    /// - Parameter mark: what was remembered before the question.
    func signature(
        from texts: [String: String], of table: SignedTable, _ authenticator: Authenticator, _ mark: HighMarks.Mark?
    ) throws -> TableSignature {
        let mark = table.mayNotGoBack ? mark : nil
        guard let root = texts["root"] else {
            // Each table of a signed store has one, also an empty table.
            throw refusal(of: table, "was set back: its signature is gone\(mark.map { ", and \($0.number) changes were made" } ?? "")")
        }
        let signature = try own(texts, of: table, authenticator)
        let digest = String(Digest.sha256(root).prefix(32))
        if let mark, signature.revision < mark.number {
            throw refusal(of: table, "was set back from change \(mark.number) to change \(signature.revision)")
        }
        if let mark, signature.revision == mark.number, digest != mark.digest {
            throw refusal(of: table, "is not what change \(mark.number) has left")
        }
        if table.mayNotGoBack { marks.raise(markName(table), to: .init(number: signature.revision, digest: digest)) }
        return signature
    }

    /// A signature that a controller of this store has made.
    private func own(_ texts: [String: String], of table: SignedTable, _ authenticator: Authenticator) throws -> TableSignature {
        do { return try TableSignature(texts, of: key(table), authenticator) } catch TableSignature.Problem.unknownKey(let id) {
            throw refusal(of: table, "is signed by the root key \(id), which is not in root_key_file")
        } catch {
            throw refusal(of: table, "has a signature that no controller of this store has made")
        }
    }

    private func refusal(of table: SignedTable, _ what: String) -> RedisError {
        RedisError(
            code: .distrusted,
            message: "\(key(table)) \(what), so none of it is used; see `sallyport store check`, then `sallyport store adopt --all`")
    }

    func markName(_ table: SignedTable) -> String { "table/\(table.rawValue)" }

    static func pairs(_ reply: RedisReply) -> [String: String] {
        let items = reply.list ?? []
        return stride(from: 0, to: items.count - 1, by: 2).reduce(into: [:]) { table, index in
            if let field = items[index].text { table[field] = items[index + 1].text }
        }
    }

    // MARK: - Writing

    /// Sets rows and takes out those that are nil, with their signature and other commands, all or nothing.
    /// - Returns: false where the guarded field has changed.
    @discardableResult
    func commit(_ changes: [String: String?], to table: SignedTable, with commands: [[String]] = [], _ guards: Guards = Guards())
        async throws -> Bool
    {
        try await checkTrust()
        return try await mutex.withLock {
            for _ in 0..<20 {
                let known = try await known(table, guards)
                let write = write(changes, to: table, known)
                let hasRows = known.map { !$0.signature.lists.isEmpty } ?? false
                switch try await send(write.commands + commands, expecting: known?.root ?? "", table, guards, hasRows: hasRows) {
                case .done:
                    if let new = write.known { remember(new, table) }
                    return true
                case .fieldChanged: return false
                case .tableGone:
                    // A change must not make one row of what was many.
                    let reading = try await read(table)
                    guard try await restoreRows(reading, of: table, guards) > 0 else { throw gone(table, reading) }
                case .signatureChanged:
                    // Another controller has changed it meanwhile.
                    state.withLock { $0.known[table]?.isCurrent = false }
                    try await checkTrust(isFresh: !isSigned)
                }
            }
            throw RedisError(code: .refused, message: "\(key(table)) changes all the time")
        }
    }

    func remember(_ known: Known, _ table: SignedTable) {
        state.withLock { $0.known[table] = known }
        guard table.mayNotGoBack else { return }
        marks.raise(
            markName(table), to: .init(number: known.signature.revision, digest: String(Digest.sha256(known.root).prefix(32))))
    }

    /// The commands of a change, and what is known after it.
    private func write(_ changes: [String: String?], to table: SignedTable, _ known: Known?) -> (commands: [[String]], known: Known?) {
        let key = key(table)
        var commands = changes.map { field, value in value.map { ["HSET", key, field, $0] } ?? ["HDEL", key, field] }
        guard let authenticator, var new = known, !changes.isEmpty else { return (commands, nil) }
        for (field, value) in changes {
            new.signature.set(
                field, value.flatMap { TableSignature.rowCode(key, field, $0, keyID: new.signature.keyID, authenticator) })
            new.rows?[field] = value
        }
        new.signature.revision = max(new.signature.revision, table.mayNotGoBack ? marks[markName(table)]?.number ?? 0 : 0) + 1
        new.root = new.signature.root(of: key, authenticator)
        commands += signatureCommands(new, of: table, lists: Set(changes.keys.map(TableSignature.number)))
        return (commands, new)
    }

    func signatureCommands(_ known: Known, of table: SignedTable, lists: Set<Int>) -> [[String]] {
        let key = signatureKey(table)
        return [["HSET", key, "root", known.root]]
            + lists.sorted().map { number in
                known.signature.lists[number].map { ["HSET", key, String(number), $0.text] } ?? ["HDEL", key, String(number)]
            }
    }

    /// What the next change builds on; nil where nothing is signed.
    private func known(_ table: SignedTable, _ guards: Guards) async throws -> Known? {
        guard let authenticator, isSigned else { return nil }
        if let known = state.withLock({ $0.known[table] }), known.isCurrent { return known }
        let mark = marks[markName(table)]
        let texts = Self.pairs(try await connection.command(["HGETALL", signatureKey(table)]))
        do {
            return Known(signature: try signature(from: texts, of: table, authenticator, mark), root: texts["root"] ?? "", rows: nil)
        } catch let error as RedisError where error.code == .distrusted {
            // Whoever leads knows better than a store that was set back.
            guard let fence = guards.fence, try await restore(table, fence: fence, because: error.message) else { throw error }
            return state.withLock { $0.known[table] }
        }
    }
}
