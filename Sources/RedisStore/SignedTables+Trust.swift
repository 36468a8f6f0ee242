import Model
import Platform
import Synchronization

/// Whether a store is signed, by which root key, and the moment in which it is.
extension SignedTables {
    /// What `data_dir` remembers of a store, from before to after it was signed.
    private enum Memory: Int {
        /// The version before has used it, or nobody: this controller may sign what is there.
        case maySign
        /// It came with a root key that others have too: what is there must be signed already.
        case mayNotSign
        case signed
    }

    private static let memory = "store"
    var trustKey: String { "\(prefix):trust" }
    var trustParts: [String] { [trustKey, "this store is signed"] }

    /// To be called once, before the store is asked for anything.
    /// - Parameter isOwn: this data folder's root key was made here just now, or the version before has used this data folder.
    package func begin(isOwn: Bool) {
        guard marks[Self.memory] == nil else { return }
        marks.raise(Self.memory, to: .init(number: (isOwn ? Memory.maySign : .mayNotSign).rawValue, digest: "-"), isDurable: true)
    }

    /// True where this data folder has used the store with a signature.
    var hasUsedStore: Bool { marks[Self.memory]?.number == Memory.signed.rawValue }

    private func remember(_ memory: Memory) { marks.raise(Self.memory, to: .init(number: memory.rawValue, digest: "-"), isDurable: true) }

    /// Finds out whether the store is signed by our key.
    /// - Parameter isFresh: also where that is known.
    /// - Throws: `RedisError` with `distrusted`: this controller may neither read nor change this store.
    package func checkTrust(isFresh: Bool = true) async throws {
        guard let authenticator, !isSigned, isFresh else { return }
        let trust = try await connection.command(["GET", trustKey]).text
        guard let trust else { return try await checkMemory() }
        switch authenticator.check(trust, trustParts) {
        case .valid: break
        case .unknownKey(let id):
            throw Self.distrust(
                "this store is signed with the root key \(id), and root_key_file holds \(authenticator.id): copy the file of a"
                    + " controller that uses this store, or set root_key_file; if that key is lost, run `sallyport store adopt --all`")
        case .invalid:
            throw Self.distrust(
                "the signature of this store was altered, so nothing in it is used; see `sallyport store check`, then"
                    + " `sallyport store adopt --all`")
        }
        remember(.signed)
        state.withLock { $0.isSigned = true }
    }

    /// A store without a signature: whether it may be read, by what is remembered of it.
    private func checkMemory() async throws {
        let remembered = marks[Self.memory].flatMap { Memory(rawValue: $0.number) } ?? .maySign
        if remembered == .maySign { return }
        if remembered == .mayNotSign, try await isEmpty() { return }
        throw Self.distrust(
            remembered == .signed
                ? "this controller has used this store with a signature, which is gone, so nothing in it is used;"
                    + " see `sallyport store check`, then `sallyport store adopt --all`"
                : "this store was never signed, and this root key was not made here; if its content is yours, run"
                    + " `sallyport store adopt --all`")
    }

    private static func distrust(_ message: String) -> RedisError { RedisError(code: .distrusted, message: message) }

    private func isEmpty() async throws -> Bool {
        try await connection.command(["EXISTS"] + SignedTable.allCases.map(key)).integer == 0
    }

    // MARK: - Signing

    /// What every controller that begins to lead sees to: that the store is signed, with the first key of the file.
    package func prepare(fence: (@Sendable () -> Int)?) async throws {
        guard let authenticator else { return }
        try await checkTrust()
        if !isSigned {
            try await signAll(SignedTable.allCases, fence: fence)
            return
        }
        let trust = try await connection.command(["GET", trustKey]).text ?? ""
        let roots = try await connection.transaction(SignedTable.allCases.map { ["HGET", signatureKey($0), "root"] }).compactMap(\.text)
        if !trust.hasPrefix(authenticator.id) || roots.contains(where: { !$0.contains(" \(authenticator.id).") }) {
            try await renew(fence: fence)
        }
    }

    /// Signs everything as it is, in one step: a crash leaves it signed or not.
    private func signAll(_ tables: [SignedTable], fence: (@Sendable () -> Int)?) async throws {
        guard let authenticator else { return }
        let replies = try await connection.transaction(tables.map { ["HGETALL", key($0)] })
        var commands: [[String]] = []
        var signed: [SignedTable: Known] = [:]
        for (table, reply) in zip(tables, replies) {
            let rows = Self.pairs(reply)
            let known = try sign(rows, of: table, after: 0, &commands)
            signed[table] = known
        }
        commands.append(["SET", trustKey, authenticator.code(trustParts)])
        // The signature of users stands for all: where one is there already, another controller was first.
        guard try await send(commands, expecting: "", .users, Guards(fence: fence, isChange: true)) == .done else {
            throw RedisError(code: .refused, message: "the store was signed by somebody else at the same moment")
        }
        remember(.signed)
        state.withLock { $0.isSigned = true }
        for (table, known) in signed { remember(known, table) }
        // A store that holds nothing yet is a first start, and nothing in it was taken for ours.
        guard signed.values.contains(where: { !($0.rows ?? [:]).isEmpty }) else { return }
        let counts = tables.map { "\(signed[$0]?.rows?.count ?? 0) \($0.rawValue)" }.joined(separator: ", ")
        alertReporter.note("the store was signed as it is, for the first time: \(counts)")
    }

    /// A table's new signature, over these rows; values that hold secrets are sealed with the first key.
    func sign(_ rows: [String: String], of table: SignedTable, after revision: Int, _ commands: inout [[String]]) throws -> Known {
        guard let authenticator else { throw RedisError(code: .refused, message: "there is no root key") }
        var known = Known(signature: TableSignature(keyID: authenticator.id), root: "", rows: [:])
        for (field, value) in rows {
            let sealed = table == .hooks ? try sealer.map { try WebhookText.sealed(value, field, key(table), $0) } ?? value : value
            if sealed != value { commands.append(["HSET", key(table), field, sealed]) }
            known.signature.set(
                field, TableSignature.rowCode(key(table), field, sealed, keyID: authenticator.id, authenticator))
            known.rows?[field] = sealed
        }
        known.signature.revision = revision + 1
        known.root = known.signature.root(of: key(table), authenticator)
        commands.append(["DEL", signatureKey(table)])
        commands += signatureCommands(known, of: table, lists: Set(known.signature.lists.keys))
        return known
    }

    /// Signs and seals with the first key what counts under an older one. Rows that don't count stay so.
    /// - Throws: `RedisError` with `distrusted` where rows of ours are lost: a new signature would not name them any more.
    private func renew(fence: (@Sendable () -> Int)?) async throws {
        guard let authenticator else { return }
        for table in SignedTable.allCases {
            for _ in 0..<20 {
                var reading = try await read(table)
                if try await restoreRows(reading, of: table, Guards(fence: fence)) > 0 { reading = try await read(table) }
                if reading.isLacking { throw gone(table, reading) }
                var commands: [[String]] = []
                let known = try sign(reading.rows, of: table, after: max(reading.signature?.revision ?? 0, mark(table)), &commands)
                if try await send(commands, expecting: reading.root ?? "", table, Guards(fence: fence)) == .done {
                    remember(known, table)
                    break
                }
            }
        }
        try await connection.command(["SET", trustKey, authenticator.code(trustParts)])
        alertReporter.note("the store is signed and encrypted with the root key \(authenticator.id) now")
    }

    func mark(_ table: SignedTable) -> Int { marks[markName(table)]?.number ?? 0 }

    // MARK: - By an operator, while no controller runs

    /// Takes what is in the store as ours, whoever wrote it: all rows, or only these (`users/alice`).
    /// - Returns: the rows that count now and did not before.
    package func adopt(only wanted: Set<String>? = nil) async throws -> [String] {
        guard let authenticator else { return [] }
        var adopted: [String] = []
        for table in SignedTable.allCases { adopted += try await adopt(table, only: wanted, authenticator) }
        try await connection.command(["SET", trustKey, authenticator.code(trustParts)])
        remember(.signed)
        return adopted
    }

    private func adopt(_ table: SignedTable, only wanted: Set<String>?, _ authenticator: Authenticator) async throws -> [String] {
        let (stored, texts) = try await stored(table)
        // Of a table that is as it should be, and of which nobody speaks, nothing is given up.
        let isNamed = wanted.map { names in names.contains { $0.hasPrefix("\(table.rawValue)/") } } ?? true
        if !isNamed, (try? signature(from: texts, of: table, authenticator, marks[markName(table)])) != nil { return [] }
        let counting = counting(stored, texts, of: table)
        let names = stored.keys.filter { counting[$0] == nil && wanted?.contains("\(table.rawValue)/\($0)") ?? true }
        let rows = stored.filter { counting[$0.key] != nil || names.contains($0.key) }
        var commands: [[String]] = []
        let revision = max(mark(table), (try? TableSignature(texts, of: key(table), authenticator).revision) ?? 0)
        // Far above what any other controller may remember.
        let known = try sign(rows, of: table, after: revision + 1_000_000, &commands)
        guard try await send(commands, expecting: texts["root"] ?? "", table, Guards()) == .done else {
            throw RedisError(code: .refused, message: "\(key(table)) has changed in the meantime; is a controller running?")
        }
        remember(known, table)
        return names.sorted().map { "\(table.rawValue)/\($0)" }
    }

    /// The rows that have the right code, whether the table was set back or not.
    private func counting(_ stored: [String: String], _ texts: [String: String], of table: SignedTable) -> [String: String] {
        guard let authenticator, let signature = try? TableSignature(texts, of: key(table), authenticator) else { return [:] }
        return stored.filter { field, value in
            signature.code(of: field) == TableSignature.rowCode(key(table), field, value, keyID: signature.keyID, authenticator)
        }
    }

    /// What is wrong with the store, a line each.
    package func survey() async throws -> [String] {
        var findings: [String] = []
        do { try await checkTrust() } catch let error as RedisError where error.code == .distrusted { findings.append(error.message) }
        if findings.isEmpty, !isSigned { return ["the store is not signed yet; the first controller that leads signs it as it is"] }
        for table in SignedTable.allCases { try await survey(table, &findings) }
        return findings
    }

    private func survey(_ table: SignedTable, _ findings: inout [String]) async throws {
        let (stored, texts) = try await stored(table)
        let counting = counting(stored, texts, of: table)
        for field in stored.keys.sorted() where counting[field] == nil {
            findings.append("\(table.rawValue)/\(field) carries no code of a controller of this store, or was altered or set back")
        }
        guard findings.isEmpty || isSigned, let authenticator else { return }
        do {
            let signature = try signature(from: texts, of: table, authenticator, marks[markName(table)])
            for field in signature.fields.sorted() where stored[field] == nil {
                findings.append("\(table.rawValue)/\(field) is gone, and nobody has removed it")
            }
        } catch let error as RedisError where error.code == .distrusted { findings.append(error.message) }
    }

    /// Removes rows (`users/alice`) that don't count.
    package func drop(_ names: Set<String>) async throws -> [String] {
        var dropped: [String] = []
        for table in SignedTable.allCases {
            let replies = try await connection.transaction([["HGETALL", key(table)], ["HGETALL", signatureKey(table)]])
            let stored = Self.pairs(replies[0])
            let counting = counting(stored, Self.pairs(replies[1]), of: table)
            for field in stored.keys.sorted() where counting[field] == nil && names.contains("\(table.rawValue)/\(field)") {
                try await connection.command(["HDEL", key(table), field])
                dropped.append("\(table.rawValue)/\(field)")
            }
        }
        return dropped
    }
}
