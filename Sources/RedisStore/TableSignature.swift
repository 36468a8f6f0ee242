import Platform

/// A table of Redis in which every row counts only with a code that a holder of the root key has made.
package enum SignedTable: String, CaseIterable, Sendable {
    case users, pools, exits
    case keys = "api:keys"
    case settings = "api:settings"
    case hooks

    /// False where the store may be behind what a controller remembers: exits change all the time, and a power cut takes the last
    /// second of that. Their rows grant nothing that their containers don't show.
    var mayNotGoBack: Bool { self != .exits }
}

/// Which rows of a table are ours, as they are: the codes of all rows in 64 lists, and a root that holds the lists' digests and a number
/// that grows with each change, with a code of its own. So no row can be added, altered, removed or put back alone.
struct TableSignature: Sendable {
    struct List: Sendable {
        /// Field to code.
        var codes: [String: String] = [:]
        /// SHA-256 of the list as it is stored, its first 32 digits.
        var digest = ""
        /// It is not the one that the root knows: none of its rows count.
        var isBroken = false

        /// A line for each row, in order.
        var text: String { codes.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }.joined() }
    }

    enum Problem: Error, Equatable {
        case unreadable
        case unknownKey(String)
    }

    private static let listCount = 64
    var revision = 0
    /// The id of the key that made it.
    var keyID: String
    private(set) var lists: [Int: List] = [:]

    init(keyID: String) { self.keyID = keyID }

    // MARK: - Rows

    /// FNV-1a, which is the same everywhere.
    static func number(of field: String) -> Int {
        Int(field.utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 } % UInt64(listCount))
    }

    func code(of field: String) -> String? { lists[Self.number(of: field)].flatMap { $0.isBroken ? nil : $0.codes[field] } }

    var fields: [String] { lists.values.flatMap { $0.isBroken ? [] : Array($0.codes.keys) } }
    var brokenLists: [Int] { lists.filter(\.value.isBroken).keys.sorted() }
    var hasBrokenLists: Bool { !brokenLists.isEmpty }

    /// Nil takes the row out. A list that was altered begins anew with it.
    mutating func set(_ field: String, _ code: String?) {
        let number = Self.number(of: field)
        var list = lists[number] ?? List()
        if list.isBroken { list = List() }
        list.codes[field] = code
        list.digest = String(Digest.sha256(list.text).prefix(32))
        lists[number] = list.codes.isEmpty ? nil : list
    }

    static func rowCode(_ key: String, _ field: String, _ value: String, keyID: String, _ authenticator: Authenticator) -> String? {
        authenticator.digits([key, field, value], keyID: keyID).map { String($0.prefix(32)) }
    }

    // MARK: - As it is stored

    /// `v1 <revision> <list>:<digest> ... <code>`
    func root(of key: String, _ authenticator: Authenticator) -> String {
        let words = ["v1", String(revision)] + lists.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value.digest)" }
        let body = words.joined(separator: " ")
        return "\(body) \(authenticator.code([key, body]))"
    }

    /// Reads what is stored beside a table, under `root` and each list's number.
    /// - Throws: `Problem`
    init(_ stored: [String: String], of key: String, _ authenticator: Authenticator) throws {
        guard let root = stored["root"], let end = root.lastIndex(of: " ") else { throw Problem.unreadable }
        let (body, code) = (String(root[..<end]), String(root[root.index(after: end)...]))
        switch authenticator.check(code, [key, body]) {
        case .valid: break
        case .invalid: throw Problem.unreadable
        case .unknownKey(let id): throw Problem.unknownKey(id)
        }
        let words = body.split(separator: " ")
        guard words.count >= 2, words[0] == "v1", let revision = Int(words[1]) else { throw Problem.unreadable }
        self.revision = revision
        keyID = String(code.prefix(8))
        for word in words.dropFirst(2) {
            let parts = word.split(separator: ":")
            guard parts.count == 2, let number = Int(parts[0]) else { throw Problem.unreadable }
            lists[number] = Self.list(stored[String(number)] ?? "", digest: String(parts[1]))
        }
    }

    private static func list(_ text: String, digest: String) -> List {
        var list = List()
        list.digest = digest
        list.isBroken = Digest.sha256(text).prefix(32) != digest
        guard !list.isBroken else { return list }
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2 { list.codes[String(words[0])] = String(words[1]) }
        }
        return list
    }
}
