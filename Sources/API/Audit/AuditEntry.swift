import FoundationEssentials
package import Model
import Platform

/// One line of the audit log: who did what, from where, with which result.
package struct AuditEntry: Codable, Sendable, Hashable {
    package enum Kind: String, Codable, Sendable, CaseIterable {
        /// A change that was carried out, or refused by its own rules.
        case change
        /// Refused before anything was done: no key, an unknown one, a role too low, an address not allowed, too many tries.
        case refused
        /// A request that changes nothing; audited by setting.
        case request
        /// Something of the controller's own: a reload, a signal.
        case system
        /// Older entries were removed; the details say up to which one.
        case retention
        /// Entries were lost while the store was away; the details say how many.
        case gap
    }

    package var seq = 0
    /// Hash of the entry before.
    package var prev = ""
    package var at: Timestamp
    package var kind: Kind
    /// "POST /api/exits/{id}/rotate"
    package var action: String
    /// Name and id of the key; nil where there was none.
    package var key: String?
    package var keyID: String?
    package var role: Role?
    package var address: String?
    package var method: String?
    package var path: String?
    package var status: Int?
    package var durationMilliseconds: Double?
    package var requestID: String?
    package var userAgent: String?
    package var before: Document?
    package var after: Document?
    package var details: String?

    package init(at: Timestamp = SystemClock.now(), _ kind: Kind, _ action: String, details: String? = nil) {
        self.at = at
        self.kind = kind
        self.action = action
        self.details = details
    }

    package enum CodingKeys: String, CodingKey {
        case seq, prev, at, kind, action, key, role, address, method, path, status, before, after, details
        case keyID = "key_id"
        case durationMilliseconds = "duration_ms"
        case requestID = "request_id"
        case userAgent = "user_agent"
    }
}

/// Where the chain of hashes ends.
package struct AuditHead: Sendable, Hashable {
    package var seq: Int
    package var hash: String
    package static let genesis = AuditHead(seq: 0, hash: String(repeating: "0", count: 64))

    package init(seq: Int, hash: String) {
        self.seq = seq
        self.hash = hash
    }

    /// "17 9f86d0..."
    package init?(_ text: String) {
        let parts = text.split(separator: " ")
        guard parts.count == 2, let seq = Int(parts[0]), seq >= 0, parts[1].utf8.count == 64 else { return nil }
        self.init(seq: seq, hash: String(parts[1]))
    }

    package var text: String { "\(seq) \(hash)" }
}

/// An entry exactly as it is stored: the text that was hashed, and the hash.
package struct AuditLine: Sendable, Hashable {
    package var seq: Int
    package var text: String
    package var hash: String

    package init(seq: Int, text: String, hash: String) {
        self.seq = seq
        self.text = text
        self.hash = hash
    }

    package var entry: AuditEntry? { try? JSONDecoder().decode(AuditEntry.self, from: Data(text.utf8)) }

    /// As a line of an export: the text stays byte for byte what was hashed.
    package var exported: String { "{\"hash\":\"\(hash)\",\"entry\":\(text)}" }

    package init?(exported line: String) {
        let (head, middle) = ("{\"hash\":\"", "\",\"entry\":")
        guard line.hasPrefix(head), line.hasSuffix("}") else { return nil }
        let rest = line.dropFirst(head.count)
        let hash = String(rest.prefix(64))
        guard rest.dropFirst(64).hasPrefix(middle) else { return nil }
        let text = String(rest.dropFirst(64 + middle.count).dropLast())
        guard let entry = try? JSONDecoder().decode(AuditEntry.self, from: Data(text.utf8)) else { return nil }
        self.init(seq: entry.seq, text: text, hash: hash)
    }
}

/// The chain: each entry holds the hash of the one before.
package enum AuditChain {
    package static func hash(of text: String) -> String { Digest.sha256(text) }

    /// Entries as the next lines after a head.
    static func lines(_ entries: [AuditEntry], after head: AuditHead) throws -> [AuditLine] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var head = head
        return try entries.map { entry in
            var entry = entry
            entry.seq = head.seq + 1
            entry.prev = head.hash
            let text = String(decoding: try encoder.encode(entry), as: UTF8.self)
            let line = AuditLine(seq: entry.seq, text: text, hash: hash(of: text))
            head = AuditHead(seq: line.seq, hash: line.hash)
            return line
        }
    }

    /// Reads lines in their order and says what is wrong with them.
    package struct Verifier: Sendable {
        package private(set) var count = 0
        package private(set) var first: Int?
        package private(set) var head: AuditHead?
        package private(set) var problems: [String] = []
        /// What the first line builds on, where that is not the beginning of all: a line of the chain must confirm it.
        private var anchor: AuditHead?
        private var isConfirmed = true
        /// Heads that somebody noted earlier, to be found again.
        private var expected: [AuditHead]

        package init(expecting heads: [AuditHead] = []) { expected = heads }

        package mutating func read(_ line: AuditLine) {
            count += 1
            guard let entry = line.entry else { return problem("entry \(line.seq) can't be read") }
            if AuditChain.hash(of: line.text) != line.hash { problem("entry \(line.seq) was altered: its hash is not that of its text") }
            if entry.seq != line.seq { problem("entry \(line.seq) stands in the place of \(entry.seq)") }
            if let head {
                if line.seq != head.seq + 1 {
                    problem(
                        line.seq > head.seq ? "entries \(head.seq + 1) to \(line.seq - 1) are missing" : "entry \(line.seq) is out of order"
                    )
                }
                if entry.prev != head.hash { problem("entry \(line.seq) does not build on the one before it") }
            } else {
                first = line.seq
                let before = AuditHead(seq: line.seq - 1, hash: entry.prev)
                if before.seq == 0 {
                    if before != .genesis { problem("entry 1 builds on something") }
                } else {
                    anchor = before
                    isConfirmed = false
                }
            }
            if entry.kind == .retention, let anchor, entry.details == anchor.text { isConfirmed = true }
            let now = AuditHead(seq: line.seq, hash: line.hash)
            if let noted = expected.first(where: { $0.seq == now.seq }), noted != now {
                problem("entry \(now.seq) is not the one that was noted")
            }
            expected.removeAll { $0.seq <= now.seq && $0.seq >= (first ?? 0) }
            head = now
        }

        /// - Parameter stored: the head that the store remembers; nil where it is not known.
        package mutating func finish(stored: AuditHead?) {
            if let stored, stored != (head ?? .genesis) {
                problem("the log ends at entry \(head?.seq ?? 0), but \(stored.seq) were written, or its last entry was altered")
            }
            if !isConfirmed, let anchor { problem("entries up to \(anchor.seq) are missing, and no retention says so") }
            for head in expected where head.seq >= (first ?? 1) { problem("entry \(head.seq), which was noted, is missing") }
        }

        private mutating func problem(_ text: String) { if problems.count < 100 { problems.append(text) } }
    }
}

/// Keeps the audit log. Lines are only ever added at the end, and removed at the front.
package protocol AuditStore: Sendable {
    func head() async throws -> AuditHead
    /// Adds lines if the log still ends at `head`; else returns where it ends, and adds nothing.
    func append(_ lines: [AuditLine], after head: AuditHead) async throws -> AuditHead?
    /// At most `limit` lines after `seq`, in order; or before it, newest first.
    func lines(after seq: Int, limit: Int) async throws -> [AuditLine]
    func lines(before seq: Int, limit: Int) async throws -> [AuditLine]
    func removeLines(upTo seq: Int) async throws
}
