import Model
import Platform

/// One real WireGuard server of the lab.
struct LabServer: Sendable {
    let country: CountryCode
    let city: String
    /// 1, 2 within its country.
    let number: Int
    let address: String
    /// What the catalog says, in percent.
    let load: Int
    /// What the catalog says that it is for.
    let isP2P: Bool
    /// It answers for a while, then it is silent for a while, and so on.
    let isMortal: Bool
    /// It gives its clients an IPv6 address too, and leads to an internet of IPv6.
    let hasIPv6: Bool

    var hostname: String { "\(country.lowercased)900\(number).lab.test" }
    var container: String { "\(country.lowercased)-\(number)" }
}

/// Who is who in the lab's own internet, 198.18.0.0/16 or another /16 of the benchmarking range 198.18.0.0/15 (RFC 2544).
struct LabLayout: Sendable {
    let name: String
    /// The second byte of every address: 18 or 19.
    let network: Int

    /// False where no server dies by itself.
    let hasMortals: Bool

    /// How many countries there are beside the usual ones, with one server each; 0 to `mostCountries`.
    let moreCountries: Int

    private static let furtherCountries = [
        "se", "ch", "it", "es", "pl", "be", "at", "dk", "no", "fi", "cz", "ie", "pt", "ro", "br", "mx", "au", "sg", "hk", "in", "za", "tr",
        "ua", "gr",
    ]
    static let mostCountries = furtherCountries.count

    /// - Parameter name: begins the names of its containers and its network.
    init(name: String = "sallyport-lab", network: Int = 18, hasMortals: Bool = true, moreCountries: Int = 0) {
        self.name = name
        self.network = network
        self.hasMortals = hasMortals
        self.moreCountries = moreCountries
    }

    var subnet: String { "198.\(network).0.0/16" }
    /// The web server and the resolver of the lab's internet.
    var internet: String { "198.\(network).0.80" }
    /// The web server of the internet that is reached by IPv6, at each server that has it: of a network that nobody has any more (RFC 3701).
    var internet6: String { "3ffe:198:\(network)::80" }
    var echoURL: String { "http://\(internet)/json" }
    /// Where the catalog puts the servers that don't exist: on the lab's own wire, so that nothing sent there leaves the machine.
    func nowhere(_ index: Int) -> String { "198.\(network).\(128 + index / 250 % 128).\(1 + index % 250)" }

    var servers: [LabServer] {
        let cities: [(String, [String])] = [
            ("us", ["New York", "Dallas", "Chicago", "Los Angeles", "New York", "Miami", "Seattle", "Dallas"]),
            ("de", ["Frankfurt", "Berlin", "Frankfurt"]), ("gb", ["London", "Manchester"]), ("fr", ["Paris", "Marseille"]),
            ("nl", ["Amsterdam", "Rotterdam"]), ("jp", ["Tokyo", "Osaka"]), ("ca", ["Toronto", "Montreal"]),
        ]
        let further = Self.furtherCountries.prefix(moreCountries).map { ($0, ["\($0) city"]) }
        return (cities + further).enumerated().flatMap { index, entry in
            // Each code is one of ISO's, so it can't be nil.
            let country = CountryCode(entry.0)!
            return entry.1.enumerated().map { number, city in
                LabServer(
                    country: country, city: city, number: number + 1, address: "198.\(network).\(index + 1).\(10 + number)",
                    load: 3 + number, isP2P: number % 2 == 0, isMortal: hasMortals && number > 1 && number == entry.1.count - 1,
                    hasIPv6: country == CountryCode("us"))
            }
        }
    }

    /// Who is there, in words: "us 8, de 3".
    var summary: String {
        var counts: [(CountryCode, Int)] = []
        for server in servers {
            if counts.last?.0 == server.country { counts[counts.count - 1].1 += 1 } else { counts.append((server.country, 1)) }
        }
        return counts.map { "\($0.0.lowercased) \($0.1)" }.joined(separator: ", ")
    }

    func container(_ name: String) -> String { "\(self.name)-\(name)" }
}

/// The lab's secrets, which live as long as its folder.
struct LabKeys: Codable, Sendable {
    struct Pair: Codable, Sendable {
        let privateKey: String
        let publicKey: String

        init() {
            let keys = WireGuardKeys()
            privateKey = keys.privateKey.revealed
            publicKey = keys.publicKey
        }
    }

    /// An account of the lab's provider beside the first one.
    struct Account: Codable, Sendable {
        let name: String
        let client: Pair
        let token: String
        /// In the tunnel, with its prefix.
        let address: String
        /// By IPv6, at servers that have it.
        var address6: String { "fd00:198::\(address.dropFirst("10.5.0.".count).prefix { $0 != "/" })/128" }

        init(name: String, number: Int) {
            self.init(name: name, client: Pair(), token: Digest.randomHex(bytes: 32), number: number)
        }

        init(name: String, client: Pair, token: String, number: Int) {
            self.name = name
            self.client = client
            self.token = token
            address = "10.5.0.\(number)/32"
        }
    }

    /// The first account of the lab's provider, `main`.
    var client = Pair()
    var token = Digest.randomHex(bytes: 32)
    /// Nil where an earlier version made these.
    private var others: [Account]?
    /// By city: NordVPN has one key for each.
    var cities: [String: Pair]

    init(_ layout: LabLayout) {
        cities = [:]
        complete(layout)
    }

    /// All accounts: `main`, `alice`, `bob` and `carol`.
    var accounts: [Account] { [Account(name: "main", client: client, token: token, number: 2)] + (others ?? []) }

    func account(_ name: String) -> Account? { accounts.first { $0.name == name } }

    /// Adds the accounts, and the keys of cities, that were not there when these were made. True where there were some.
    @discardableResult
    mutating func complete(_ layout: LabLayout) -> Bool {
        let missing = Set(layout.servers.map(\.city)).subtracting(cities.keys)
        for city in missing { cities[city] = Pair() }
        let lacksAccounts = others == nil
        if lacksAccounts { others = ["alice", "bob", "carol"].enumerated().map { Account(name: $1, number: $0 + 3) } }
        return !missing.isEmpty || lacksAccounts
    }
}
