import CListReader
package import Model
import Platform

/// How a provider writes its list: turns rows into servers.
protocol ListShape {
    /// The fields that it reads, at any depth.
    static var fields: [StaticString] { get }
    /// One row of a list of rows, or of the list called `section` in an object of lists.
    mutating func read(_ row: ListRow, of section: String, into list: inout ServerList)
    /// All rows have been read.
    mutating func finish(into list: inout ServerList)
}

extension ListShape {
    mutating func finish(into list: inout ServerList) {}
}

/// Reads a provider's list while it arrives, by libsimdjson: never more than one row is kept beside the servers.
///
/// Not thread-safe; its owner calls it from one thread at a time.
package final class ListReader {
    /// Bytes of one row at most. The largest that was seen is a country of Windscribe with 90 kB.
    private static let rowLimit = 1 << 20

    private var shape: any ListShape
    private var list: ServerList
    private var reader: OpaquePointer?
    private var isBroken = false
    private let provider: Provider
    /// Names for the reader in C, which it uses until its end.
    private let names: [UnsafeMutablePointer<CChar>]

    package init(_ provider: Provider, options: ListOptions = ListOptions()) {
        self.provider = provider
        shape = provider.shape(options)
        list = ServerList(provider: provider.name, port: options.port ?? provider.port)
        let fields = type(of: shape).fields
        names = fields.map { field in
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: field.utf8CodeUnitCount + 1)
            UnsafeMutableRawPointer(copy).copyMemory(from: field.utf8Start, byteCount: field.utf8CodeUnitCount)
            copy[field.utf8CodeUnitCount] = 0
            return copy
        }
        let pointers = names.map { UnsafePointer<CChar>($0) as UnsafePointer<CChar>? }
        reader = list_reader_create(
            pointers, pointers.count, Self.rowLimit, ListReaderCallbacks.row, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        list_reader_destroy(reader)
        for name in names { name.deallocate() }
    }

    /// Takes the next piece of the answer; false when it is no list, and the rest need not come.
    package func feed(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard !isBroken, let reader else { return false }
        if !list_reader_feed(reader, bytes.baseAddress, bytes.count) { isBroken = true }
        return !isBroken
    }

    /// The servers, after the last piece.
    package func finish() throws -> ServerList {
        guard !isBroken, let reader, list_reader_is_complete(reader) else {
            let what = isBroken || list.rows == 0 ? "is not JSON of the known shape" : "is cut short after \(list.rows) rows"
            throw ProviderError(code: .badAnswer, provider: provider.name.rawValue, message: "its server list \(what)")
        }
        shape.finish(into: &list)
        guard list.rows > 0 else {
            throw ProviderError(
                code: .badAnswer, provider: provider.name.rawValue, message: "its server list is empty, or of an unknown shape")
        }
        return list
    }

    /// Reads a whole answer at once.
    package static func read(_ bytes: [UInt8], of provider: Provider, options: ListOptions = ListOptions()) throws -> ServerList {
        let reader = ListReader(provider, options: options)
        _ = bytes.withUnsafeBytes { reader.feed($0) }
        return try reader.finish()
    }

    fileprivate func take(_ row: ListRow?, of section: String) {
        guard let row, row.isObject else {
            list.skip(in: section)
            return
        }
        shape.read(row, of: section, into: &list)
    }
}

/// Called by the C++ part on whichever thread feeds it; outside of every actor.
private enum ListReaderCallbacks {
    static let row: list_row_callback = { context, section, length, nodes, _ in
        guard let context else { return }
        let name = String(decoding: UnsafeRawBufferPointer(start: section, count: length), as: UTF8.self)
        Unmanaged<ListReader>.fromOpaque(context).takeUnretainedValue().take(nodes.map { ListRow($0) }, of: name)
    }
}

/// What an operator asks of a provider's list.
package struct ListOptions: Sendable, Equatable {
    /// Servers that are otherwise left out.
    package var included: Set<SpecialServers>
    /// Another UDP port than the provider's usual one.
    package var port: Int?

    package init(included: Set<SpecialServers> = [], port: Int? = nil) {
        self.included = included
        self.port = port
    }
}

/// Servers that are in a list but not for everybody, or not what they seem. They are left out unless they are asked for.
package enum SpecialServers: String, Sendable, CaseIterable {
    /// Sold to one customer each. They have the lowest loads of all, and never answer.
    case dedicatedIP = "dedicated_ip"
    /// Two servers in a row.
    case double
    case onion
    /// With an address that stays the same.
    case fixed = "static"
    case obfuscated
    /// Not in service, by the provider's own word.
    case offline
}

/// The servers of a list that can be used, and why the others can't.
package struct ServerList: Sendable {
    package private(set) var servers: [Server] = []
    /// Rows that could not be used, by reason.
    package private(set) var dropped: [String: Int] = [:]
    /// Rows about servers, used or not.
    package private(set) var rows = 0

    private let provider: ProviderName
    private let port: Int
    private var seen: Set<String> = []

    init(provider: ProviderName, port: Int) {
        self.provider = provider
        self.port = port
    }

    /// A row that is no object. Where the document is an object of lists, only `servers` and `data` are about servers.
    fileprivate mutating func skip(in section: String) {
        if ["", "servers", "data"].contains(section) { drop("unreadable") }
    }

    mutating func drop(_ reason: String) {
        rows += 1
        dropped[reason, default: 0] += 1
    }

    /// Takes a server, if all that reaches an exit's tunnel and firewall is sound.
    /// - Parameter identity: what makes it another server than those before; its host name where nil.
    mutating func add(
        hostname: String, address: String, key: String?, country: CountryCode?, city: String?, load: Int?, tags: [String] = [],
        network: String? = nil, identity: String? = nil
    ) {
        guard let key, let key = Self.key(key) else { return drop("bad_public_key") }
        guard Self.isHostname(hostname), Server.isIPv4(address) || address == hostname else { return drop("bad_address") }
        guard let country else { return drop("unknown_country") }
        guard seen.insert(identity ?? hostname).inserted else { return drop("duplicate") }
        rows += 1
        servers.append(
            Server(
                provider: provider, hostname: hostname, address: address, port: port, publicKey: key, country: country,
                city: city.flatMap(Self.plain), load: load, tags: tags, network: network.flatMap(Self.plain)))
    }

    /// The key without blanks around it; nil where it is none.
    private static func key(_ text: String) -> String? {
        if Base64.isWireGuardKey(text) { return text }
        let trimmed = String(text.filter { !$0.isWhitespace })
        return Base64.isWireGuardKey(trimmed) ? trimmed : nil
    }

    /// At least two labels, so that no word of a list is looked up in the machine's own search domains; and not of digits alone,
    /// which would be a broken address.
    static func isHostname(_ text: String) -> Bool {
        var hasDot = false
        var hasLetter = false
        for byte in text.utf8 {
            switch byte {
            case 0x61...0x7A: hasLetter = true
            case 0x2E: hasDot = true
            case 0x30...0x39, 0x2D: break
            default: return false
            }
        }
        return hasDot && hasLetter && text.utf8.count <= 253 && text.utf8.first != 0x2D
    }

    /// A name for people; nil where it holds what no name does.
    private static func plain(_ text: String) -> String? {
        guard (1...100).contains(text.utf8.count), text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        return text
    }
}
