import FoundationEssentials
package import Platform

/// The chain: each entry holds the hash of the one before.
package enum AuditChain {
    /// What the root key is derived for, to make the codes of entries.
    package static let purpose = "audit/entries"

    package static func hash(of text: String) -> String { Digest.sha256(text) }

    /// Entries as the next lines after a head.
    /// - Parameter authenticator: makes their codes; nil leaves them without.
    static func lines(_ entries: [AuditEntry], after head: AuditHead, by authenticator: Authenticator? = nil) throws -> [AuditLine] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var head = head
        return try entries.map { entry in
            var entry = entry
            entry.seq = head.seq + 1
            entry.prev = head.hash
            let text = String(decoding: try encoder.encode(entry), as: UTF8.self)
            let line = AuditLine(seq: entry.seq, text: text, hash: hash(of: text), mac: authenticator?.code([text]))
            head = line.head
            return line
        }
    }

    /// Reads lines in their order and says what is wrong with them.
    package struct Verifier: Sendable {
        package private(set) var count = 0
        package private(set) var first: Int?
        package private(set) var head: AuditHead?
        package private(set) var problems: [String] = []
        /// What entries of the log itself say of its damage, and what somebody has seen of it.
        package private(set) var reported: Set<String> = []
        package private(set) var acknowledged: Set<String> = []
        /// What the first line builds on, where that is not the beginning of all: a line of the chain must confirm it.
        private var anchor: AuditHead?
        private var isConfirmed = true
        /// Heads that somebody noted earlier, or that we wrote, to be found again.
        private var expected: [(head: AuditHead, what: String)]
        /// What is wrong after the last entry that reports damage; nil where there is none.
        private(set) var sinceDamage: [String]?
        private let authenticator: Authenticator?
        /// The entry that is read first where the ones before it were read another time.
        private let start: AuditHead?
        /// The first entry that must carry a code; nil where none has been seen yet.
        private var signedFrom: Int?
        /// Entries in a row whose code is wrong in the same way.
        private var badCodes: (what: String, from: Int, to: Int)?

        /// - Parameters:
        ///   - written: the last entry that is known to have been written.
        ///   - start: the last entry that was read another time, which is read again as the first.
        ///   - authenticator: checks the entries' codes; nil looks at the hashes alone.
        ///   - signedFrom: the first entry that must carry one, where it is known.
        package init(
            expecting heads: [AuditHead] = [], written: AuditHead? = nil, startingAt start: AuditHead? = nil,
            authenticator: Authenticator? = nil,
            signedFrom: Int? = nil
        ) {
            self.start = start
            expected = heads.map { ($0, "noted") } + (written.map { [($0, "written")] } ?? [])
            self.authenticator = authenticator
            self.signedFrom = signedFrom
        }

        /// Problems that nobody has acknowledged.
        package var open: [String] { problems.filter { !acknowledged.contains($0) } }
        /// Problems that the log itself does not report yet.
        package var unreported: [String] { open.filter { !reported.contains($0) && !$0.contains(Self.segment) } }

        private static let segment = "begins a new segment"
        private static let strangeKey = "are under the root key"

        package mutating func read(_ line: AuditLine) {
            count += 1
            guard let entry = line.entry else { return problem("entry \(line.seq) can't be read") }
            if AuditChain.hash(of: line.text) != line.hash { problem("entry \(line.seq) was altered: its hash is not that of its text") }
            if entry.seq != line.seq { problem("entry \(line.seq) is stored in place of \(entry.seq)") }
            let isSigned = checkCode(of: line)
            if let head { checkPlace(of: line, entry, after: head) } else { checkFirst(line, entry) }
            if entry.kind == .retention, let anchor, entry.details == anchor.text { isConfirmed = true }
            if isSigned { readReport(entry) }
            let now = AuditHead(seq: line.seq, hash: line.hash)
            checkExpected(at: now)
            head = now
        }

        /// The first line is the one to start at, the first of all, or one whose predecessors the retention has removed.
        private mutating func checkFirst(_ line: AuditLine, _ entry: AuditEntry) {
            first = line.seq
            let before = AuditHead(seq: line.seq - 1, hash: entry.prev)
            if let start, start.seq == line.seq {
                if start.hash != line.hash { problem("entry \(line.seq) is not the one that was written") } else { confirmDroppedKey() }
            } else if before.seq == 0 {
                if before != .genesis { problem("entry 1 builds on something") }
            } else {
                anchor = before
                isConfirmed = false
            }
        }

        /// What an entry says of damage, or of damage that was acknowledged.
        private mutating func readReport(_ entry: AuditEntry) {
            let details = Set((entry.details ?? "").split(separator: "\n").map(String.init))
            if entry.kind == .damage {
                reported.formUnion(details)
                sinceDamage = []
            }
            if entry.kind == .acknowledged { acknowledged.formUnion(details) }
        }

        private mutating func checkExpected(at now: AuditHead) {
            for (noted, what) in expected where noted.seq == now.seq {
                if noted != now {
                    problem("entry \(now.seq) is not the one that was \(what)")
                } else if what == "written" {
                    confirmDroppedKey()
                }
            }
            expected.removeAll { $0.head.seq <= now.seq && $0.head.seq >= (first ?? 0) }
        }

        private mutating func checkPlace(of line: AuditLine, _ entry: AuditEntry, after head: AuditHead) {
            let isMissing = line.seq > head.seq + 1
            if isMissing { problem("entries \(head.seq + 1) to \(line.seq - 1) are missing") }
            if line.seq <= head.seq { problem("entry \(line.seq) is out of order") }
            guard entry.prev != head.hash else { return }
            if entry.kind == .damage {
                problem("entry \(line.seq) \(Self.segment), because the log before it was not intact")
            } else if !isMissing {
                problem("entry \(line.seq) does not build on the one before it")
            }
        }

        /// True where the code is right, or nobody asks for one.
        private mutating func checkCode(of line: AuditLine) -> Bool {
            guard let authenticator else { return true }
            guard let mac = line.mac else {
                if let signedFrom, line.seq >= signedFrom { badCode("carry no code", line.seq) }
                return false
            }
            signedFrom = min(signedFrom ?? line.seq, line.seq)
            switch authenticator.check(mac, [line.text]) {
            case .valid:
                // It holds the hash of the one before, so whoever wrote it vouches for those under a key that was dropped since.
                confirmDroppedKey()
                return true
            case .invalid: badCode("were not written by a controller of this installation", line.seq)
            case .unknownKey(let id): badCode("\(Self.strangeKey) \(id), which is not in root_key_file", line.seq)
            }
            return false
        }

        /// An entry that is known to be ours holds the hash of the one before: those under a dropped key are ours too.
        private mutating func confirmDroppedKey() {
            if badCodes?.what.hasPrefix(Self.strangeKey) ?? false { badCodes = nil }
        }

        private mutating func badCode(_ what: String, _ seq: Int) {
            if let bad = badCodes, bad.what == what, bad.to == seq - 1 {
                badCodes = (what, bad.from, seq)
            } else {
                reportBadCodes()
                badCodes = (what, seq, seq)
            }
        }

        private mutating func reportBadCodes() {
            guard let bad = badCodes else { return }
            badCodes = nil
            problem("entries \(bad.from) to \(bad.to) \(bad.what)")
        }

        /// - Parameter stored: the head that the store remembers; nil where it is not known.
        package mutating func finish(stored: AuditHead?) {
            reportBadCodes()
            if let stored, stored != (head ?? .genesis) {
                problem("the log ends at entry \(head?.seq ?? 0), but \(stored.seq) were written, or its last entry was altered")
            }
            let tail = sinceDamage
            if !isConfirmed, let anchor { problem("entries up to \(anchor.seq) are missing, and no retention says so") }
            for (head, what) in expected where head.seq >= (first ?? 1) { problem("entry \(head.seq), which was \(what), is missing") }
            // Damage that was found earlier is none of the chain's any more where it was put right, and still to be seen by somebody.
            for text in reported.subtracting(acknowledged).sorted() { problem(text) }
            // All these are about what came before it.
            sinceDamage = tail
        }

        package mutating func problem(_ text: String) {
            sinceDamage?.append(text)
            if problems.count < 100, !problems.contains(text) { problems.append(text) }
        }
    }
}
