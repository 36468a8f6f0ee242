/// What a breaker is about.
package enum BreakerKey: TextKey {
    /// A server, by its host name: `server:us9001.lab.test`.
    case server(String)
    /// The key or token of a provider's account: `credential:nordvpn`, `credential:nordvpn/alice`.
    case credential(ProviderAccount)
    /// The service that gives a provider's list of servers: `provider:nordvpn`.
    case list(ProviderName)
    /// The service that gives the keys of a provider's account: `account:nordvpn`.
    case account(ProviderName)
    /// A text of another version, which only `init` makes.
    case other(String)

    package init(_ text: String) {
        self =
            switch Self.parts(of: text) {
            case ("server", let name)?: .server(name)
            case ("credential", let name)?: .credential(ProviderAccount(name))
            case ("provider", let name)?: .list(ProviderName(rawValue: name))
            case ("account", let name)?: .account(ProviderName(rawValue: name))
            default: .other(text)
            }
    }

    package var description: String {
        switch self {
        case .server(let name): "server:\(name)"
        case .credential(let account): "credential:\(account)"
        case .list(let provider): "provider:\(provider)"
        case .account(let provider): "account:\(provider)"
        case .other(let text): text
        }
    }

    /// The label `kind` of metrics: the text before the colon.
    package var kind: String { String(description.prefix { $0 != ":" }) }
}
