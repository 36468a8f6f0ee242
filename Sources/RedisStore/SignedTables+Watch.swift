import Model
import Platform
import Synchronization

/// Looks again and again whether the rows in the store are ours, and tells what is not.
extension SignedTables {
    private static let remedy =
        "somebody else can write to Redis: find out who, then drop these rows or accept them (`sallyport store check`, `drop`, `adopt`)"

    /// Looks every 2 s, at large tables every 30 s or when their size changes, until it is cancelled.
    /// - Parameter fence: the fencing number under which this controller leads; nil where it does not.
    package func watch(fence: @escaping @Sendable () -> Int?) async {
        var seen: [SignedTable: (size: Int, root: String?, at: ContinuousClock.Instant)] = [:]
        while !Task.isCancelled {
            await keepTrust(fence: fence)
            for table in SignedTable.allCases {
                guard let size = try? await size(of: table) else { continue }
                if let last = seen[table], last.size == size.rows, last.root == size.root, size.rows > 1000,
                    .now - last.at < .seconds(30)
                {
                    continue
                }
                seen[table] = (size.rows, size.root, .now)
                await check(table, fence: fence)
            }
            try? await Task.sleep(for: .seconds(2))
        }
    }

    private func size(of table: SignedTable) async throws -> (rows: Int, root: String?) {
        let replies = try await connection.transaction(
            [["HLEN", key(table)], ["HGET", signatureKey(table), "root"]], isAtomic: false)
        return (replies[0].integer ?? 0, replies[1].text)
    }

    /// Reads a table, restores lost rows if this controller leads, and raises or clears the alert about it.
    func check(_ table: SignedTable, fence: @escaping @Sendable () -> Int?) async {
        do {
            var reading = try await read(table)
            alertReporter.clear(.store)
            if let number = fence(), try await restoreRows(reading, of: table, Guards(fence: { number })) > 0 {
                reading = try await read(table)
            }
            report(reading, of: table)
        } catch let error as RedisError where error.code == .distrusted {
            // A store that is distrusted as a whole is one alert, not one for each table.
            guard isSigned else { return alertReporter.raise(.store, error.message, remedy: Self.remedy) }
            if let fence = fence(), (try? await restore(table, fence: { fence }, because: error.message)) ?? false { return }
            alertReporter.raise(.table(table.rawValue), error.message, remedy: Self.remedy)
        } catch {
            // Whoever needs the store tells that it is away.
        }
    }

    /// Raises, or ends, the alert of a table with rows that are not used.
    private func report(_ reading: Reading, of table: SignedTable) {
        Metrics.refusedRows.set(Double(reading.refused.count + reading.missing.count), table.rawValue)
        for (field, reason) in reading.refused { logUnused("\(key(table))/\(field)", reason) }
        let words =
            reading.refused.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            + reading.missing.sorted().map { "\($0) is gone, and nobody has removed it" }
        guard !words.isEmpty else { return clearOld(table) }
        let more = words.count > 5 ? ", and \(words.count - 5) more" : ""
        alertReporter.raise(
            .table(table.rawValue), "rows of \(table.rawValue) are not used: \(words.prefix(5).joined(separator: ", "))\(more)",
            remedy: Self.remedy)
    }

    /// An alert about what was put right stands for ten minutes.
    private func clearOld(_ table: SignedTable) {
        if let at = state.withLock({ $0.restoredAt[table] }), .now - at < .seconds(600) { return }
        alertReporter.clear(.table(table.rawValue))
    }

    /// Writes a table as this controller knows it over one that was set back.
    /// - Returns: false where it doesn't know the latest.
    func restore(_ table: SignedTable, fence: @escaping @Sendable () -> Int, because reason: String) async throws -> Bool {
        guard let known = state.withLock({ $0.known[table] }), let rows = known.rows,
            !table.mayNotGoBack || known.signature.revision >= mark(table)
        else { return false }
        let root = try await connection.command(["HGET", signatureKey(table), "root"]).text
        var commands = rows.map { ["HSET", key(table), $0.key, $0.value] }
        var new = try sign(rows, of: table, after: max(mark(table), known.signature.revision), &commands)
        new.rows = new.rows ?? rows
        // A store that was emptied has no fencing number and no signature of its own either.
        if let authenticator { commands.append(["SET", trustKey, authenticator.code(trustParts)]) }
        guard try await send(commands, expecting: root ?? "", table, Guards(fence: fence, isChange: true)) == .done else { return false }
        remember(new, table)
        let message = "\(reason.split(separator: ",").first ?? ""); the leader has written it back as it knew it"
        log.error("a table of the store was set back, and written back", ["table": key(table), "reason": reason])
        state.withLock { $0.restoredAt[table] = .now }
        alertReporter.raise(
            .table(table.rawValue), message, remedy: "find out who or what has set Redis back: an attacker, a failover, an old copy")
        alertReporter.note(message)
        return true
    }
}
