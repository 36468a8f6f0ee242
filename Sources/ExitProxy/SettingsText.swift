package import CLinux

/// The proxy's settings as its entry point writes them: KEY=value lines, lists with commas.
package struct SettingsText {
    package private(set) var settings = ProxySettings()
    /// The user and group that the process becomes once it has read them; nil to stay.
    package private(set) var user: uid_t?

    package struct Fault: Error {
        /// Without any value: it could be a secret in the wrong place.
        package let description: String
    }

    package init(_ text: String) throws(Fault) {
        for (number, line) in text.split(separator: "\n").enumerated() {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw Fault(description: "line \(number + 1): expected KEY=value") }
            guard read(parts[0], parts[1]) else {
                throw Fault(description: "line \(number + 1): unknown key, or a value that it can't have")
            }
        }
    }

    private mutating func read(_ key: Substring, _ value: Substring) -> Bool {
        switch key {
        case "LISTEN": set(&settings.listen, IPv4(value))
        case "PORT": set(&settings.port, UInt16(value))
        case "RESOLVERS": set(&settings.resolvers, list(value) { IPv4($0) })
        case "SECRETS": set(&settings.secrets, list(value) { Array($0.utf8) })
        case "GATEWAYS": set(&settings.gateways, list(value) { IPv4Network($0) })
        case "REFUSED": set(&settings.refused, list(value) { AddressNetwork($0) })
        case "IPV6": set(&settings.hasIPv6, value == "1" ? true : value == "0" ? false : nil)
        case "CLOSED_PORTS": set(&settings.closedPorts, list(value) { UInt16($0) }.map { Set($0) })
        case "OPEN_PORTS": set(&settings.openPorts, list(value) { UInt16($0) }.map { Set($0) })
        case "CONNECTIONS": set(&settings.connectionLimit, Int(value).flatMap { $0 > 0 ? $0 : nil })
        case "IDLE_SECONDS": set(&settings.idleSeconds, Int(value).flatMap { (1...1_000_000).contains($0) ? $0 : nil })
        case "USER": set(&user, uid_t(value).map(Optional.some))
        default: false
        }
    }

    private func set<Value>(_ place: inout Value, _ value: Value?) -> Bool {
        guard let value else { return false }
        place = value
        return true
    }

    private func list<Item>(_ text: Substring, _ item: (Substring) -> Item?) -> [Item]? {
        let words = text.split(separator: ",").map { $0.drop { $0 == " " } }
        let items = words.compactMap(item)
        return items.count == words.count ? items : nil
    }

    /// What comes on standard input, up to a NUL or its end.
    /// - Returns: the text, and whether a NUL has ended it; nil where it is no text.
    package static func standardInput() -> (text: String, staysOpen: Bool)? {
        var (all, piece) = ([UInt8](), [UInt8](repeating: 0, count: 4096))
        while all.last != 0, all.count < 1 << 20, case let count = CLinux.read(STDIN_FILENO, &piece, piece.count), count > 0 {
            all += piece.prefix(count)
        }
        let staysOpen = all.last == 0
        return String(validating: staysOpen ? all.dropLast() : all, as: UTF8.self).map { ($0, staysOpen) }
    }
}
