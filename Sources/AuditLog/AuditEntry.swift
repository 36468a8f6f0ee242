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
        /// The log was found not intact; the details say how, a line each.
        case damage
        /// Somebody has seen what is wrong with the log; the details repeat it, a line each.
        case acknowledged
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
    /// Its own, so that no two entries are the same text: one that was sent twice is known by it.
    package var uid: String?

    package init(at: Timestamp = SystemClock.now(), _ kind: Kind, _ action: String, details: String? = nil) {
        self.at = at
        self.kind = kind
        self.action = action
        self.details = details
        uid = String(UInt64.random(in: .min ... .max), radix: 36)
    }

    package enum CodingKeys: String, CodingKey {
        case seq, prev, at, kind, action, key, role, address, method, path, status, before, after, details, uid
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

/// An entry exactly as it is stored: the text that was hashed, the hash, and the code that only holders of the root key can make.
package struct AuditLine: Sendable, Hashable {
    package var seq: Int
    package var text: String
    package var hash: String
    /// Message authentication code of the text; nil in the log of a version before these.
    package var mac: String?

    package init(seq: Int, text: String, hash: String, mac: String? = nil) {
        self.seq = seq
        self.text = text
        self.hash = hash
        self.mac = mac
    }

    package var entry: AuditEntry? { try? JSONDecoder().decode(AuditEntry.self, from: Data(text.utf8)) }

    package var head: AuditHead { AuditHead(seq: seq, hash: hash) }

    /// As a line of an export: the text stays byte for byte what was hashed.
    package var exported: String {
        let code = mac.map { "\"mac\":\"\($0)\"," } ?? ""
        return "{\"hash\":\"\(hash)\",\(code)\"entry\":\(text)}"
    }

    package init?(exported line: String) {
        let (head, code, middle) = ("{\"hash\":\"", "\",\"mac\":\"", "\",\"entry\":")
        guard line.hasPrefix(head), line.hasSuffix("}") else { return nil }
        var rest = line.dropFirst(head.count)
        let hash = String(rest.prefix(64))
        rest = rest.dropFirst(64)
        var mac: String?
        if rest.hasPrefix(code) {
            rest = rest.dropFirst(code.count)
            mac = String(rest.prefix { $0 != "\"" })
            rest = rest.dropFirst(mac?.count ?? 0)
        }
        guard rest.hasPrefix(middle) else { return nil }
        let text = String(rest.dropFirst(middle.count).dropLast())
        guard let entry = try? JSONDecoder().decode(AuditEntry.self, from: Data(text.utf8)) else { return nil }
        self.init(seq: entry.seq, text: text, hash: hash, mac: mac)
    }
}

/// Where the log ends, as the store has it.
package struct AuditEnd: Sendable, Hashable {
    /// What is noted of the last entry, whatever it is; nil where nothing is.
    package var head: String?
    /// Numbers of the first and the last entry that are there, and how many there are; 0 for none.
    package var first = 0
    package var last = 0
    package var count = 0
    /// The highest number that was ever given: an entry can only be added above it.
    package var highest = 0

    package init(head: String? = nil, first: Int = 0, last: Int = 0, count: Int = 0, highest: Int = 0) {
        self.head = head
        self.first = first
        self.last = last
        self.count = count
        self.highest = highest
    }

    /// Entries that are missing between the first and the last.
    var missing: Int { count == 0 ? 0 : last - first + 1 - count }
}

/// Keeps the audit log. Lines are only ever added at the end, and removed at the front.
package protocol AuditStore: Sendable {
    func end() async throws -> AuditEnd
    /// Adds lines where the noted head still is that text. Lines that are there already, because the answer to an earlier try was lost,
    /// are not added again.
    func append(_ lines: [AuditLine], expecting head: String?) async throws -> AuditAppending
    /// At most `limit` lines after `seq`, in order; or before it, newest first.
    func lines(after seq: Int, limit: Int) async throws -> [AuditLine]
    func lines(before seq: Int, limit: Int) async throws -> [AuditLine]
    func removeLines(upTo seq: Int) async throws
    /// Moves a log to which nothing can be added any more out of the way; it stays in the store under another name.
    func setAside() async throws
}

/// What became of lines that were to be added.
package enum AuditAppending: Sendable { case added, present, moved }
