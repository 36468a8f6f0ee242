package import Model
import Platform
import Synchronization

/// Looks at what was written: is all of it there, and as it was?
extension AuditLog {

    /// Reads the whole log and checks it, also against the head that this controller knows.
    package func verify(expecting heads: [AuditHead] = []) async throws -> AuditChain.Verifier {
        var verifier = try await reading(expecting: heads)
        // The retention may have taken entries away in the middle of a reading.
        if !verifier.open.isEmpty { verifier = try await reading(expecting: heads) }
        if let head = verifier.head, verifier.problems.isEmpty { remember(head) }
        note(verifier)
        return verifier
    }

    private func reading(expecting heads: [AuditHead]) async throws -> AuditChain.Verifier {
        _ = await flush()
        let known = knownHead
        var verifier = AuditChain.Verifier(
            expecting: heads, written: known, authenticator: authenticator(), signedFrom: signedFrom)
        let end = try await store.end()
        let stored = end.head.map { AuditHead($0) } ?? .genesis
        let last = stored?.seq ?? end.last
        try await read(from: 1, to: max(last, known?.seq ?? 0), into: &verifier)
        verifier.finish(stored: stored)
        if stored == nil { verifier.problem("the log's head can't be read") }
        if let known, let stored, stored.seq < known.seq {
            verifier.problem("the log was set back: it ends at entry \(stored.seq), but \(known.seq) were written")
        }
        return verifier
    }

    /// What somebody says to have seen is no alarm any more; it stays a problem.
    package func acknowledge(by key: String?) async throws -> AuditChain.Verifier {
        let found = try await verify()
        guard !found.open.isEmpty else { return found }
        var entry = AuditEntry(.acknowledged, "audit", details: found.open.joined(separator: "\n"))
        entry.key = key
        await recordNow(entry)
        return try await verify()
    }

    private func note(_ verifier: AuditChain.Verifier) {
        let missing = verifier.first.flatMap { first in verifier.head.map { $0.seq - first + 1 - verifier.count } } ?? 0
        findings.withLock { $0.missing = missing }
        // What was asked to be found by a caller is no finding about the log.
        report(verifier.open.filter { !$0.contains("noted") })
        let new = verifier.unreported.filter { !$0.contains("noted") }
        if !new.isEmpty {
            log.error("the audit log is not intact", ["problems": new.joined(separator: "; ")])
            record(AuditEntry(.damage, "audit", details: new.joined(separator: "\n")))
        }
    }

    func report(_ open: [String]) {
        findings.withLock { $0.open = open }
        guard let first = open.first else { return alertReporter.clear(.audit) }
        let more = open.count > 1 ? " (and \(open.count - 1) more)" : ""
        alertReporter.raise(
            .audit, "the audit log is not intact: \(first)\(more)",
            remedy: "it was changed in Redis, or Redis has lost writes: see `sallyport audit verify`, find out who may write to"
                + " Redis, then `sallyport audit acknowledge`")
    }

    /// Looks at the log's end every 2 s, and reads all of it now and every hour.
    func watch() async {
        var next = ContinuousClock.now
        while !Task.isCancelled {
            do {
                if try await hasChanged() || ContinuousClock.now >= next {
                    _ = try await verify()
                    next = .now + .seconds(3600)
                }
            } catch {
                // The writer reports a store that is away.
            }
            try? await Task.sleep(for: .seconds(2))
        }
    }

    /// True where the log is not what it was but for entries that were added in order.
    private func hasChanged() async throws -> Bool {
        let end = try await store.end()
        let isAsKnown = knownHead.map { end.head == $0.text && end.last == $0.seq } ?? (end == AuditEnd())
        if !isAsKnown {
            // Others have added entries, or it was set back: the holder of the mutex checks.
            try await mutex.withLock {
                writing.withLock { if $0.uncertain == nil { $0.place = nil } }
                _ = try await place()
            }
        }
        let present = isAsKnown ? end : try await store.end()
        return present.missing != findings.withLock { $0.missing }
    }

    /// Removes what is older than the retention, after it has written down where the rest begins.
    package func retire(now: Timestamp = SystemClock.now()) async {
        let days = retentionDays
        guard days > 0 else { return }
        do {
            guard let last = try await lastLine(before: now + -days * 86_400) else { return }
            // The newest entry always stays, so that the chain has an end to be found at.
            guard try await store.end().last > last.seq else { return }
            await recordNow(AuditEntry(.retention, "audit", details: last.head.text))
            guard figures.pending == 0 else { return }
            try await store.removeLines(upTo: last.seq)
        } catch {
            log.warning("old audit entries can't be removed", ["error": "\(error)"])
        }
    }

    /// The last of the first entries that are older than a time.
    private func lastLine(before limit: Timestamp) async throws -> AuditLine? {
        var last: AuditLine?
        while true {
            let lines = try await store.lines(after: last?.seq ?? 0, limit: 500)
            for line in lines {
                guard let entry = line.entry, entry.at < limit else { return last }
                last = line
            }
            if lines.count < 500 { return last }
        }
    }
}
