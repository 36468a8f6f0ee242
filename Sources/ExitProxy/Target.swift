/// Where a client wants to go.
struct Target: Equatable {
    enum Host: Hashable {
        case address(Address)
        /// In lower case, without a dot at its end.
        case name(String)
        /// This proxy itself.
        case own
    }

    let host: Host
    let port: UInt16

    /// How the proxy and its tunnel fare: `GET /status`, which is no request for a proxy and so never comes from a user of the gateway.
    static let status = Target(host: .own, port: 0)

    /// `host:port`, or `host` where a port is known otherwise.
    init?(authority: ArraySlice<UInt8>, port known: UInt16? = nil) {
        var (host, digits) = (authority, ArraySlice<UInt8>())
        if authority.first == 91 {
            guard let end = authority.firstIndex(of: 93) else { return nil }
            host = authority[...end]
            digits = authority[(end + 1)...]
        } else if let colon = authority.firstIndex(of: 58) {
            host = authority[..<colon]
            digits = authority[colon...]
        }
        guard let port = digits.isEmpty ? known : Self.port(digits), let read = Self.host(host) else { return nil }
        self.host = read
        self.port = port
    }

    /// `http://authority/path?query`, and the path with its query.
    static func read(uri: ArraySlice<UInt8>) -> (target: Target, path: ArraySlice<UInt8>)? {
        guard uri.count > 7, Head.lowercased(uri.prefix(7)) == "http://" else { return nil }
        let rest = uri.dropFirst(7)
        let end = rest.firstIndex { $0 == 47 || $0 == 63 || $0 == 35 } ?? rest.endIndex
        guard let target = Target(authority: rest[..<end], port: 80), rest.firstIndex(of: 35) == nil else { return nil }
        let path = rest[end...]
        return (target, path.first == 47 ? path : [47] + path)
    }

    /// A colon and a port of 1 to 65535; only the colon is port 80, as in a URI.
    private static func port(_ digits: ArraySlice<UInt8>) -> UInt16? {
        let digits = digits.dropFirst()
        guard (1...5).contains(digits.count), digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
        let number = digits.reduce(0) { $0 * 10 + UInt32($1 - 48) }
        return number == 0 ? nil : UInt16(exactly: number)
    }

    static func host(_ bytes: ArraySlice<UInt8>) -> Host? {
        if bytes.first == 91 {
            let inner = bytes.dropFirst().dropLast()
            guard bytes.last == 93, inner.allSatisfy({ Self.isHex($0) || $0 == 58 || $0 == 46 }) else { return nil }
            return IPv6(String(decoding: inner, as: UTF8.self)).map { .address(.v6($0)) }
        }
        var name = bytes
        if name.last == 46 { name.removeLast() }
        let labels = name.split(separator: 46, omittingEmptySubsequences: false)
        guard name.count <= 253, labels.allSatisfy({ (1...63).contains($0.count) }), name.allSatisfy(isHostByte) else { return nil }
        let text = Head.lowercased(name)
        if let address = IPv4(text) { return .address(.v4(address)) }
        // What ends in a number is an address in a notation of its own: nobody knows who would read it how.
        guard let last = labels.last, last.contains(where: { !(48...57).contains($0) }), !Self.isHexNumber(last) else { return nil }
        return .name(text)
    }

    /// `0x`, in either case, and whatever follows.
    private static func isHexNumber(_ label: ArraySlice<UInt8>) -> Bool {
        label.first == 48 && label.dropFirst().first.map { $0 | 32 } == 120
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (97...122).contains(byte | 32) && byte < 128 || byte == 45 || byte == 46 || byte == 95
    }

    private static func isHex(_ byte: UInt8) -> Bool { (48...57).contains(byte) || (97...102).contains(byte | 32) }
}

/// Why a target was not reached: the words that the gateway passes on to its user.
package enum TargetFault: String, Error, CaseIterable, Sendable {
    case dnsFailed = "dns_failed"
    case refused = "target_refused"
    case unreachable = "target_unreachable"
    case timeout = "target_timeout"
    case notAllowed = "target_not_allowed"
    /// It answered, and not with HTTP.
    case badAnswer = "target_bad_answer"
    /// An IPv6 address, and the tunnel has none.
    case notSupported = "address_not_supported"

    package var status: Int {
        switch self {
        case .timeout: 504
        case .notAllowed: 403
        default: 502
        }
    }

    /// RFC 1928, section 6.
    var socksReply: UInt8 {
        switch self {
        case .notAllowed: 2
        case .unreachable, .badAnswer: 3
        case .dnsFailed: 4
        case .refused: 5
        case .timeout: 6
        case .notSupported: 8
        }
    }
}
