package import Model

/// Where a file's server stands, and what says so.
package struct ServerPlace: Sendable, Equatable {
    package enum Origin: String, Sendable {
        case list = "servers.yaml"
        case comment
        case name
    }

    package var country: CountryCode
    package var city: String?
    package var origin: Origin

    /// Of the list beside the file, its comments and its name, the first that knows the country. The city may come from another one of them.
    /// - Parameter given: what the list says.
    init?(name: String, comments: [String], given: NamedPlaces.Place?) {
        let (comment, word) = (Self.place(ofComments: comments), Self.place(ofName: name))
        let cities = [given?.city, comment.city]
        let found: (CountryCode, Origin)? =
            given?.country.map { ($0, .list) } ?? comment.country.map { ($0, .comment) } ?? word?.country.map { ($0, .name) }
        guard let found else { return nil }
        let ofName = found.0 == word?.country ? word?.city : nil
        (country, origin) = found
        city = cities.compactMap(\.self).first ?? ofName
    }

    /// `# Country: US`, `# City: New York`; and `# US-NY#12`, as Proton names its servers, or `# CH-US#12`, which leaves in the second country.
    private static func place(ofComments comments: [String]) -> (country: CountryCode?, city: String?) {
        var (country, city): (CountryCode?, String?)
        for comment in comments {
            let parts = comment.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == ":" || $0 == "=" }.map(FileText.trimmed)
            if parts.count == 2 {
                switch parts[0].lowercased() {
                case "country", "country code", "country_code": country = country ?? code(parts[1])
                case "city": city = city ?? plain(parts[1])
                default: break
                }
            } else if comment.contains("#"), !comment.contains(where: \.isWhitespace) {
                let words = comment.prefix { $0 != "#" }.split(separator: "-").map(String.init)
                country = country ?? words.first.flatMap { CountryCode($0) }.map { exit(of: $0, words.dropFirst().first) ?? $0 }
            }
        }
        return (country, city)
    }

    /// The country with which a name begins, behind the words that providers put first, and the word behind it.
    private static func place(ofName name: String) -> (country: CountryCode?, city: String?)? {
        let stem = name.lowercased().hasSuffix(".conf") ? String(name.dropLast(5)) : name
        var words = stem.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init)
        while words.count > 1, let first = words.first, providers.contains(first) { words.removeFirst() }
        for length in [3, 2, 1] where words.count >= length {
            let text = words[..<length].joined(separator: " ")
            guard let country = length == 1 ? code(text) ?? coded(text) : CountryCode(named: text) else { continue }
            let next = words.dropFirst(length).first
            if let exit = exit(of: country, next) { return (exit, nil) }
            let isCity = next.map { $0.count >= 3 && $0.allSatisfy(\.isLetter) && !kinds.contains($0) } ?? false
            return (country, isCity ? next : nil)
        }
        return nil
    }

    /// `us12`: a code with a number.
    private static func coded(_ word: String) -> CountryCode? {
        let letters = word.prefix { $0.isLetter }
        return word.dropFirst(letters.count).allSatisfy(\.isNumber) ? CountryCode(String(letters)) : nil
    }

    /// Where a server of Proton's Secure Core leaves, `CH-US`; nil for others. All of these enter in three countries, whose other servers have
    /// no second word of two letters.
    private static func exit(of entry: CountryCode, _ next: String?) -> CountryCode? {
        guard let next, next.count == 2, ["CH", "IS", "SE"].contains(entry.rawValue) else { return nil }
        return CountryCode(next)
    }

    private static func code(_ text: String) -> CountryCode? { CountryCode(text) ?? CountryCode(named: text) }

    private static let providers: Set = [
        "wg", "wireguard", "vpn", "conf", "config", "mullvad", "proton", "protonvpn", "surfshark", "nord", "nordvpn", "nordlynx", "ivpn",
        "airvpn", "windscribe", "fastestvpn", "pia", "azirevpn", "ovpn", "torguard", "cyberghost", "expressvpn", "purevpn", "vyprvpn",
    ]
    /// Kinds of servers, which stand where a city might.
    private static let kinds: Set = [
        "free", "plus", "premium", "server", "node", "vpn", "wireguard", "tor", "secure", "core", "static", "exit", "udp", "tcp",
        "entry",
    ]

    /// A name for people; nil where it holds what no name does.
    static func plain(_ text: String) -> String? {
        guard (1...100).contains(text.utf8.count), text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        return text
    }
}
