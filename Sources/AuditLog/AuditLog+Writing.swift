import Model
import Platform
import Synchronization

/// Where entries are added: after the head that this process knows, and never after an earlier one.
extension AuditLog {
    /// Where the next entry goes.
    struct Place: Sendable {
        /// What it builds on.
        var head: AuditHead
        /// What the store notes of its head, as it is there.
        var stored: String?
    }

    private static let mark = "audit"
    private static let signedMark = "audit/signed"
    /// Numbers above it are not exact in JSON for everybody.
    private static let limit = 9_007_199_254_000_000

    /// The last entry that this controller has written or checked.
    var knownHead: AuditHead? { marks[Self.mark].map { AuditHead(seq: $0.number, hash: $0.digest) } }
    var signedFrom: Int? { marks[Self.signedMark]?.number }

    func remember(_ head: AuditHead) { marks.raise(Self.mark, to: .init(number: head.seq, digest: head.hash)) }

    /// Only while the mutex is held.
    func append(_ batch: Batch) async throws {
        while true {
            let place = try await place()
            let kept = writing.withLock { $0.uncertain }
            let lines = try kept?.lines ?? AuditChain.lines(batch.entries, after: place.head, by: authenticator())
            let expected = kept.map(\.expected) ?? place.stored
            writing.withLock { $0.uncertain = (batch, lines, expected) }
            let result = try await store.append(lines, expecting: expected)
            writing.withLock { $0.uncertain = nil }
            if result == .moved {
                // Another controller was first: ours come after its.
                writing.withLock { $0.place = nil }
                continue
            }
            if let first = lines.first, first.mac != nil, signedFrom == nil {
                marks.raise(Self.signedMark, to: .init(number: first.seq, digest: "-"))
            }
            guard let head = lines.last?.head else { return }
            // Others may have added theirs since a try that was not answered.
            writing.withLock { $0.place = result == .added ? Place(head: head, stored: head.text) : nil }
            return remember(head)
        }
    }

    /// Where the log goes on. A head that is not the one that we know, or builds on it, begins a new segment, which says so.
    func place() async throws -> Place {
        if let place = writing.withLock({ $0.place }) { return place }
        while true {
            let end = try await store.end()
            let known = knownHead
            let stored = end.head.map { AuditHead($0) } ?? .genesis
            let problems = try await problems(between: known, and: stored, end)
            if problems.isEmpty, let stored {
                let place = Place(head: stored, stored: end.head)
                if stored.seq > 0 { remember(stored) }
                writing.withLock { $0.place = place }
                return place
            }
            if let place = try await beginSegment(after: known ?? .genesis, end, problems) {
                writing.withLock { $0.place = place }
                return place
            }
        }
    }

    /// What is wrong with the way from the head that we know to the one that is noted in the store.
    private func problems(between known: AuditHead?, and stored: AuditHead?, _ end: AuditEnd) async throws -> [String] {
        guard let stored else { return ["the log's head can't be read"] }
        if end.head == nil, end.last > 0 { return ["the log's head is missing"] }
        if let known, min(stored.seq, end.last) < known.seq {
            return ["the log was set back: it ends at entry \(min(stored.seq, end.last)), but \(known.seq) were written"]
        }
        if end.last > stored.seq { return ["entries \(stored.seq + 1) to \(end.last) were not added by Sallyport"] }
        if end.last < stored.seq { return ["the log ends at entry \(end.last), but its head says \(stored.seq)"] }
        if stored == known ?? .genesis { return [] }
        guard let known else {
            let last = try await store.lines(before: stored.seq + 1, limit: 1).first?.head ?? .genesis
            return last == stored ? [] : ["the log ends at entry \(last.seq), but its head says \(stored.seq)"]
        }
        guard stored.seq > known.seq else { return ["entry \(known.seq) is not the one that was written"] }
        var verifier = AuditChain.Verifier(startingAt: known, authenticator: authenticator(), signedFrom: signedFrom)
        try await read(from: known.seq, to: stored.seq, into: &verifier)
        verifier.finish(stored: stored)
        guard let rest = verifier.sinceDamage, !verifier.problems.isEmpty else { return verifier.problems }
        // Another controller has seen it before us, and has begun a new segment. A whole reading tells the rest.
        findings.withLock { $0.missing = -1 }
        return rest
    }

    /// Adds an entry that says what was found, above all numbers that were ever given; nil where the log has changed meanwhile.
    private func beginSegment(after known: AuditHead, _ end: AuditEnd, _ problems: [String]) async throws -> Place? {
        log.error("the audit log is not intact", ["problems": problems.joined(separator: "; ")])
        var start = max(known.seq, end.highest)
        if start > Self.limit {
            try await store.setAside()
            start = known.seq
        }
        let entry = AuditEntry(.damage, "audit", details: problems.joined(separator: "\n"))
        let lines = try AuditChain.lines([entry], after: AuditHead(seq: start, hash: known.hash), by: authenticator())
        guard let head = lines.last?.head, try await store.append(lines, expecting: end.head) != .moved else { return nil }
        remember(head)
        report(problems)
        return Place(head: head, stored: head.text)
    }

    /// Reads entries in pieces, from one number to another.
    func read(from first: Int, to last: Int, into verifier: inout AuditChain.Verifier) async throws {
        var after = first - 1
        while after < last {
            let lines = try await store.lines(after: after, limit: 1000)
            for line in lines where line.seq <= last { verifier.read(line) }
            guard let end = lines.last, lines.count == 1000 else { return }
            after = end.seq
            await Task.yield()
        }
    }
}
