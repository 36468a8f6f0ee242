/// The two messages of DNS that a look-up of addresses needs (RFC 1035, RFC 3596).
enum DNSMessage {
    /// The type of the records that are asked for.
    enum Question: UInt8 { case a = 1, aaaa = 28 }

    /// What a resolver said.
    struct Reply: Equatable {
        /// Of the family that was asked for.
        var addresses: [Address] = []
        /// Seconds that it may be kept for.
        var seconds = 0
        var isTruncated = false
        /// It knows that there is no such name, or that it has no address of the kind that was asked for.
        var isDenial = false
        /// There is such a name.
        var nameExists = false

        /// Together with what was said of the other family; nil where nothing was.
        func with(_ other: Reply?) -> Reply {
            guard let other else { return self }
            var both = self
            both.addresses += other.addresses
            both.seconds = isDenial == other.isDenial ? min(seconds, other.seconds) : isDenial ? other.seconds : seconds
            both.isDenial = isDenial && other.isDenial
            both.nameExists = nameExists || other.nameExists
            return both
        }
    }

    static func query(_ name: String, _ question: Question = .a, id: UInt16) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(id >> 8), UInt8(id & 255), 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]
        for label in name.split(separator: ".") {
            bytes.append(UInt8(label.utf8.count))
            bytes += label.utf8
        }
        bytes += [0, 0, question.rawValue, 0, 1]
        // EDNS (RFC 6891): answers of up to 1,232 bytes come without a second way by TCP.
        return bytes + [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
    }

    /// - Returns: nil where it is no answer to that question, or is not well formed, or says that the resolver could not find out.
    static func reply(_ bytes: [UInt8], to name: String, _ question: Question = .a, id: UInt16) -> Reply? {
        var reader = Reader(bytes: bytes)
        guard let head = reader.words(6), head[0] == id, head[1] & 0xF800 == 0x8000, head[2] == 1 else { return nil }
        guard let asked = reader.name(), asked == name, reader.words(2) == [UInt16(question.rawValue), 1] else { return nil }
        guard head[1] & 0x0200 == 0 else { return Reply(isTruncated: true) }
        guard head[1] & 15 == 0 || head[1] & 15 == 3 else { return nil }
        guard let records = reader.records(Int(head[3])) else { return nil }
        let found = follow(name, records.filter { $0.address == nil || $0.address?.isIPv6 == (question == .aaaa) })
        guard found.addresses.isEmpty else { return found }
        let authority = reader.records(Int(head[4])) ?? []
        return Reply(seconds: authority.compactMap { $0.denialSeconds }.first ?? 5, isDenial: true, nameExists: head[1] & 15 == 0)
    }

    /// The addresses of a name, over its other names.
    private static func follow(_ name: String, _ records: [Record]) -> Reply {
        var (owner, reply) = (name, Reply(seconds: .max, nameExists: true))
        for _ in 0..<16 {
            let own = records.filter { $0.owner == owner }
            for case (let address?, let seconds) in own.map({ ($0.address, $0.seconds) }) {
                reply.addresses.append(address)
                reply.seconds = min(reply.seconds, seconds)
            }
            guard reply.addresses.isEmpty, let alias = own.first(where: { $0.alias != nil }), let next = alias.alias else { break }
            reply.seconds = min(reply.seconds, alias.seconds)
            owner = next
        }
        return reply
    }

    struct Record {
        let owner: String
        let seconds: Int
        var address: Address?
        var alias: String?
        /// Of an SOA: how long it may be kept that a name is not there (RFC 2308).
        var denialSeconds: Int?
    }

    /// Reads a message from its front. Names point to earlier places only, so that none goes in a circle.
    struct Reader {
        let bytes: [UInt8]
        private var place = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        mutating func words(_ count: Int) -> [UInt16]? {
            guard place + 2 * count <= bytes.count else { return nil }
            defer { place += 2 * count }
            return (0..<count).map { UInt16(bytes[place + 2 * $0]) << 8 | UInt16(bytes[place + 2 * $0 + 1]) }
        }

        mutating func name() -> String? {
            var (at, limit, labels, size) = (place, bytes.count, [String](), 0)
            var behind: Int?
            while at < limit {
                let length = Int(bytes[at])
                switch length {
                case 0:
                    place = behind ?? at + 1
                    return labels.joined(separator: ".")
                case 1...63:
                    guard at + 1 + length <= bytes.count else { return nil }
                    size += length + 1
                    guard size <= 255 else { return nil }
                    labels.append(Head.lowercased(bytes[(at + 1)..<(at + 1 + length)]))
                    at += length + 1
                case 192...:
                    guard at + 1 < bytes.count else { return nil }
                    let target = (length & 63) << 8 | Int(bytes[at + 1])
                    guard target < at else { return nil }
                    behind = behind ?? at + 2
                    (at, limit) = (target, at)
                default: return nil
                }
            }
            return nil
        }

        mutating func records(_ count: Int) -> [Record]? {
            var records: [Record] = []
            for _ in 0..<count {
                guard let owner = name(), let head = words(5), place + Int(head[4]) <= bytes.count else { return nil }
                let end = place + Int(head[4])
                let seconds = Int(UInt32(head[2]) << 16 | UInt32(head[3]))
                var record = Record(owner: owner, seconds: head[2] > 0x7FFF ? 0 : seconds)
                switch (head[0], head[1]) {
                case (1, 1) where head[4] == 4: record.address = words(2).map { .v4(IPv4(number: UInt32($0[0]) << 16 | UInt32($0[1]))) }
                case (28, 1) where head[4] == 16: record.address = .v6(IPv6(bytes[place..<end]))
                case (5, 1): record.alias = name()
                case (6, 1): record.denialSeconds = soa(seconds)
                default: break
                }
                place = end
                records.append(record)
            }
            return records
        }

        private mutating func soa(_ seconds: Int) -> Int? {
            guard name() != nil, name() != nil, let numbers = words(10) else { return nil }
            return min(seconds, Int(UInt32(numbers[8]) << 16 | UInt32(numbers[9])))
        }
    }
}
