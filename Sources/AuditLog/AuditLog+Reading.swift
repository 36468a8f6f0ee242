/// One page of entries, newest first.
package struct AuditPage: Sendable {
    package var entries: [(line: AuditLine, entry: AuditEntry)] = []
    /// The cursor of the next page; nil on the last.
    package var next: Int?
}

/// Counts over the newest entries.
package struct AuditStatistics: Sendable, Encodable {
    package var entries = 0
    package var head = ""
    package var waiting = 0
    package var lookedAt = 0
    package var kinds: [String: Int] = [:]
    package var actions: [String: Int] = [:]
    package var keys: [String: Int] = [:]
    package var statuses: [String: Int] = [:]

    enum CodingKeys: String, CodingKey {
        case entries, head, waiting, kinds, actions, keys, statuses
        case lookedAt = "looked_at"
    }
}

/// What readers of the log ask for. All throw when the store does not answer.
extension AuditLog {
    /// Entries that one page looks at; a query that matches few of them continues with the next page.
    private static let budget = 20_000
    private static let piece = 1000
    private static let statisticsLimit = 10_000

    /// - Parameters:
    ///   - cursor: the number above the first entry that is looked at; nil for the newest.
    ///   - limit: entries of a page.
    package func page(_ query: AuditQuery, before cursor: Int?, limit: Int) async throws -> AuditPage {
        var cursor = cursor ?? Int(9_007_199_254_740_991)
        var (page, lookedAt) = (AuditPage(), 0)
        search: while true {
            let lines = try await store.lines(before: cursor, limit: Self.piece)
            for line in lines {
                guard let entry = line.entry else { continue }
                cursor = line.seq
                if let since = query.since, entry.at < since { break search }
                if query.until.map({ entry.at <= $0 }) ?? true, query.contains(entry) { page.entries.append((line, entry)) }
                if page.entries.count == limit {
                    page.next = line.seq
                    break search
                }
            }
            lookedAt += lines.count
            if lines.count < Self.piece { break }
            if lookedAt >= Self.budget {
                page.next = cursor
                break
            }
        }
        if let next = page.next, next <= 1 { page.next = nil }
        return page
    }

    package func statistics() async throws -> AuditStatistics {
        var statistics = AuditStatistics()
        let head = try await store.end().head.flatMap { AuditHead($0) } ?? .genesis
        (statistics.entries, statistics.head, statistics.waiting) = (head.seq, head.hash, figures.pending)
        var cursor = head.seq + 1
        while statistics.lookedAt < Self.statisticsLimit {
            let lines = try await store.lines(before: cursor, limit: Self.piece)
            for entry in lines.compactMap(\.entry) { statistics.count(entry) }
            guard let last = lines.last, lines.count == Self.piece else { break }
            cursor = last.seq
        }
        return statistics
    }
}

extension AuditStatistics {
    fileprivate mutating func count(_ entry: AuditEntry) {
        lookedAt += 1
        kinds[entry.kind.rawValue, default: 0] += 1
        actions[entry.action, default: 0] += 1
        if let key = entry.key { keys[key, default: 0] += 1 }
        if let status = entry.status { statuses[String(status), default: 0] += 1 }
    }
}
