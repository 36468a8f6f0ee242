import Glibc
package import Model
import Platform

/// Where a Redis server listens, and as whom we log in there.
package struct RedisAddress: Sendable, CustomStringConvertible {
    package enum Place: Sendable, Equatable {
        case unix(path: String)
        /// A host name, an IPv4 address, or an IPv6 address without brackets.
        case tcp(host: String, port: Int)
    }

    package var place: Place
    /// Nil for the default user.
    package var user: String?
    package var password: Secret?
    package var database: Int
    /// Seconds that the URL allows an answer to take, where it says so.
    package var timeout: Double?

    package init(_ place: Place, user: String? = nil, password: Secret? = nil, database: Int = 0, timeout: Double? = nil) {
        self.place = place
        self.user = user
        self.password = password
        self.database = database
        self.timeout = timeout
    }

    package static func unix(path: String) -> RedisAddress { RedisAddress(.unix(path: path)) }

    package static func tcp(host: String, port: Int, password: Secret? = nil, database: Int = 0) -> RedisAddress {
        RedisAddress(.tcp(host: host, port: port), password: password, database: database)
    }

    /// Without the password.
    package var description: String {
        let login = user.map { "\($0)@" } ?? ""
        return switch place {
        case .unix(let path): "unix://\(login)\(path)\(database == 0 ? "" : "?db=\(database)")"
        case .tcp(let host, let port): "redis://\(login)\(host.contains(":") ? "[\(host)]" : host):\(port)/\(database)"
        }
    }
}

/// Why a text is no address of a Redis. It never has the text's password in it.
package struct RedisAddressError: Error, CustomStringConvertible {
    package var description: String
}

extension RedisAddress {
    /// Reads `redis://[[user]:password@]host[:port][/database][?field=value&...]` or
    /// `unix://[[user]:password@]/path[?db=1]`, as clients and providers print them.
    ///
    /// User and password may be percent-encoded, and have to be where they hold a `%`; they end at the last `@`. The scheme is read in
    /// any case; `redis+unix`, `redis+socket` and `valkey` are other names.
    /// - Throws: `RedisAddressError`
    package init(reading text: String) throws(RedisAddressError) {
        let (isUnix, address) = try Self.scheme(of: Self.printable(text))
        var rest = address
        self.init(.unix(path: ""))
        if let at = rest.lastIndex(of: "@") {
            try readLogin(rest[..<at])
            rest = rest[rest.index(after: at)...]
        }
        guard !rest.contains("#") else { throw RedisAddressError(description: "has a # behind the host, expected none") }
        if let mark = rest.firstIndex(of: "?") {
            try readQuery(rest[rest.index(after: mark)...])
            rest = rest[..<mark]
        }
        if isUnix { try readPath(rest) } else { try readHost(rest) }
    }

    private static func printable(_ text: String) throws(RedisAddressError) -> String {
        let text = text.trimmed
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
            throw RedisAddressError(description: "has a control character in it")
        }
        return text
    }

    /// Whether it leads to a Unix socket, and what stands behind the scheme.
    private static func scheme(of text: String) throws(RedisAddressError) -> (isUnix: Bool, rest: Substring) {
        guard let colon = text.firstIndex(of: ":") else { throw noScheme }
        let (scheme, rest) = (text[..<colon].lowercased(), text[text.index(after: colon)...])
        guard !["rediss", "valkeys", "redis+tls"].contains(scheme) else {
            throw RedisAddressError(description: "TLS to Redis is not supported, expected redis:// or unix://")
        }
        let isUnix = ["unix", "redis+unix", "redis+socket"].contains(scheme)
        guard isUnix || ["redis", "valkey"].contains(scheme) else { throw noScheme }
        if rest.hasPrefix("//") { return (isUnix, rest.dropFirst(2)) }
        guard isUnix else { throw noScheme }
        return (isUnix, rest)
    }

    private static var noScheme: RedisAddressError {
        RedisAddressError(description: "expected redis://[user:password@]host[:port][/db] or unix:///path")
    }

    private mutating func readLogin(_ text: Substring) throws(RedisAddressError) {
        let colon = text.firstIndex(of: ":")
        let name = text[..<(colon ?? text.endIndex)]
        // What stands there without a colon is a name, and with such a sign more likely a mistake.
        guard !name.contains(where: { "/?#".contains($0) }) else {
            throw RedisAddressError(description: "has one of / ? # in its user name, expected these percent-encoded")
        }
        if !name.isEmpty { user = try Self.decoded(name, "user name") }
        guard let colon else { return }
        let word = text[text.index(after: colon)...]
        if !word.isEmpty { password = Secret(try Self.decoded(word, "password")) }
    }

    private mutating func readQuery(_ text: Substring) throws(RedisAddressError) {
        for field in text.split(separator: "&") {
            let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = try Self.decoded(parts.count == 2 ? parts[1] : "", "query")
            switch parts[0].lowercased() {
            case "db", "database": database = try Self.database(value)
            case "user", "username": if !value.isEmpty { user = value }
            case "password": if !value.isEmpty { password = Secret(value) }
            case "timeout": timeout = try Self.seconds(value)
            default:
                throw RedisAddressError(
                    description: "has the unknown field \(parts[0].prefix(40)) behind the ?, expected db, user, password or timeout")
            }
        }
    }

    private static func seconds(_ text: String) throws(RedisAddressError) -> Double {
        guard let seconds = Double(text), (0.1...60).contains(seconds) else {
            throw RedisAddressError(description: "has a timeout that is not 0.1 to 60 seconds")
        }
        return seconds
    }

    private mutating func readPath(_ text: Substring) throws(RedisAddressError) {
        let path = try Self.decoded(text, "path")
        guard !path.isEmpty, path != "/", path.utf8.count < 108, !path.utf8.contains(0) else {
            throw RedisAddressError(description: "expected the path of a socket of at most 107 bytes behind unix://")
        }
        place = .unix(path: path)
    }

    private mutating func readHost(_ text: Substring) throws(RedisAddressError) {
        var rest = text
        if let slash = text.firstIndex(of: "/") {
            try readDatabase(text[text.index(after: slash)...])
            rest = text[..<slash]
        }
        let (host, behind) = rest.hasPrefix("[") ? try Self.bracketedHost(of: rest) : try Self.host(of: rest)
        let digits = behind.dropFirst()
        guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), digits.isEmpty || (1...65_535).contains(Int(digits) ?? 0) else {
            throw RedisAddressError(description: "has a port that is not 1 to 65535")
        }
        place = .tcp(host: String(host), port: Int(digits) ?? 6379)
    }

    /// An IPv6 address, and what stands behind its brackets.
    private static func bracketedHost(of text: Substring) throws(RedisAddressError) -> (Substring, Substring) {
        guard let end = text.firstIndex(of: "]") else { return try host(of: text) }
        let (host, behind) = (text[text.index(after: text.startIndex)..<end], text[text.index(after: end)...])
        guard isIPv6(host), behind.isEmpty || behind.hasPrefix(":") else {
            throw RedisAddressError(description: "has no IPv6 address between its brackets, or something behind them that is no port")
        }
        return (host, behind)
    }

    /// A name or an IPv4 address, and what stands behind it.
    private static func host(of text: Substring) throws(RedisAddressError) -> (Substring, Substring) {
        guard text.count(where: { $0 == ":" }) < 2 else {
            throw RedisAddressError(description: "has several colons in its host, expected an IPv6 address in brackets, like [::1]:6379")
        }
        let host = text.prefix { $0 != ":" }
        try checkHost(host)
        return (host, text.dropFirst(host.count))
    }

    /// The path behind the host.
    private mutating func readDatabase(_ text: Substring) throws(RedisAddressError) {
        let path = text.hasSuffix("/") ? text.dropLast() : text
        guard !path.isEmpty else { return }
        let number = try Self.database(String(path))
        guard database == 0 || database == number else { throw RedisAddressError(description: "names two databases, expected one") }
        database = number
    }

    private static func checkHost(_ host: Substring) throws(RedisAddressError) {
        guard !host.isEmpty else { throw RedisAddressError(description: "names no host, expected redis://host:6379") }
        guard host.utf8.count <= 253, host.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0)) }) else {
            throw RedisAddressError(description: "has a host with other signs than ASCII letters, digits and - . _")
        }
    }

    private static func isIPv6(_ text: Substring) -> Bool {
        var address = in6_addr()
        // A zone, as of fe80::1%eth0, is the resolver's.
        return inet_pton(AF_INET6, String(text.prefix { $0 != "%" }), &address) == 1
    }

    private static func database(_ text: String) throws(RedisAddressError) -> Int {
        guard !text.isEmpty, text.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(text), number <= 65_535 else {
            throw RedisAddressError(description: "has a database that is not 0 to 65535")
        }
        return number
    }

    private static func decoded(_ text: Substring, _ what: String) throws(RedisAddressError) -> String {
        guard let decoded = PercentEncoding.decode(text) else {
            throw RedisAddressError(
                description:
                    "has a % in its \(what) without two hexadecimal digits, or bytes that are no UTF-8; expected %25 for the sign itself")
        }
        return decoded
    }
}

extension String {
    fileprivate var trimmed: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
