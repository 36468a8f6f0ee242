/// What an alert is about: the same trouble is one alert.
package enum AlertSubject: TextKey {
    /// What exits are compared with.
    package enum Comparison: String, Hashable, Sendable, CaseIterable {
        /// This machine's own address.
        case address
        /// The country of the exit's pool.
        case country
    }

    /// `part:engine`
    case part(Dependency)
    /// The key or token of a provider's account: `credential:nordvpn`, `credential:nordvpn/alice`.
    case credential(ProviderAccount)
    /// `pool:us`
    case pool(CountryCode)
    /// All exits at once.
    case exits
    /// Exits that nobody has compared for a while: `comparison:address`.
    case comparison(Comparison)
    /// A target that is asked through exits: `canary:shop`.
    case canary(String)
    /// `leak:us-1`
    case leak(ExitID)
    /// A container that can't be removed, by its name: `container:sallyport-us-1-g2`.
    case container(String)
    /// A proxy user, by name, or by a number for readers who may not know the name: `user:bob`.
    case user(String)
    /// A provider's list of servers that is missing or old: `list:nordvpn`.
    case list(ProviderName)
    /// A provider's list of servers that has become much shorter: `size:nordvpn`.
    case size(ProviderName)
    /// The operator's own files that stand for a provider's list: `files:wireguard`.
    case files(ProviderName)
    /// Lines that the access log lacks.
    case accessLog
    /// Wrong passwords from one source, by its address: `guesses:192.0.2.7`.
    case guesses(String)
    /// Wrong passwords for one proxy user from several sources: `user:bob/guesses`.
    case guessed(String)
    case audit
    /// The store as a whole, which is not signed by us.
    case store
    /// What the store's server may throw away.
    case storePolicy
    /// A signed table of the store, by its name: `store/users`.
    case table(String)
    /// Changes that came through the store's queue and were none of a controller's: `store/orders`.
    case orders
    /// A text of another version, which only `init` makes.
    case other(String)

    package init(_ text: String) {
        let subject = Self.read(text)
        // `pool:US` and `leak:uk-1` are read, but have another text: they are not ours.
        self = subject?.description == text ? subject ?? .other(text) : .other(text)
    }

    private static func read(_ text: String) -> AlertSubject? {
        if let word = words[text] { return word }
        if text.hasPrefix(tablePrefix) { return .table(String(text.dropFirst(tablePrefix.count))) }
        guard let (kind, name) = parts(of: text) else { return nil }
        switch kind {
        case "part": return Dependency(rawValue: name).map { .part($0) }
        case "credential": return .credential(ProviderAccount(name))
        case "pool": return CountryCode(name).map { .pool($0) }
        case "comparison": return Comparison(rawValue: name).map { .comparison($0) }
        case "canary": return .canary(name)
        case "leak": return ExitID(name).map { .leak($0) }
        case "container": return .container(name)
        case "user": return name.hasSuffix(guessedSuffix) ? .guessed(String(name.dropLast(guessedSuffix.count))) : .user(name)
        case "list": return .list(ProviderName(rawValue: name))
        case "files": return .files(ProviderName(rawValue: name))
        case "size": return .size(ProviderName(rawValue: name))
        case "guesses": return .guesses(name)
        default: return nil
        }
    }

    package var description: String {
        switch self {
        case .part(let dependency): "part:\(dependency.rawValue)"
        case .credential(let account): "credential:\(account)"
        case .pool(let country): "pool:\(country.lowercased)"
        case .exits: "exits"
        case .comparison(let comparison): "comparison:\(comparison.rawValue)"
        case .canary(let name): "canary:\(name)"
        case .leak(let exit): "leak:\(exit)"
        case .container(let name): "container:\(name)"
        case .user(let name): "user:\(name)"
        case .list(let provider): "list:\(provider)"
        case .files(let provider): "files:\(provider)"
        case .size(let provider): "size:\(provider)"
        case .accessLog: "access_log"
        case .guesses(let source): "guesses:\(source)"
        case .guessed(let name): "user:\(name)\(Self.guessedSuffix)"
        case .audit: "audit"
        case .store: "store"
        case .storePolicy: "store_policy"
        case .table(let name): "\(Self.tablePrefix)\(name)"
        case .orders: "store/orders"
        case .other(let text): text
        }
    }

    private static let tablePrefix = "store/"
    /// No user's name has a slash.
    private static let guessedSuffix = "/guesses"

    /// Subjects without a name in them, by their text.
    private static let words: [String: AlertSubject] = [AlertSubject.exits, .accessLog, .audit, .store, .storePolicy, .orders]
        .reduce(into: [:]) { $0[$1.description] = $1 }
}
