import API
import AccessControl
import Catalog
import Control
import Glibc
import HTTPTransport
import Model
import Planning
import Platform

/// Opens a newcomer's first exit and shows how to use it.
struct Welcome: Sendable {
    private let parts: Parts
    private let api: API
    private static let firstUser = "alice"

    init(_ parts: Parts, _ api: API) { (self.parts, self.api) = (parts, api) }

    private var configuration: Configuration { parts.configuration }

    func open(_ country: CountryCode) async {
        do {
            try await makeFirstUser()
            if parts.controller.snapshot.desired.pools[country] == nil {
                try await execute(.setPool(Pool(country: country, size: 1)))
            }
            let snapshot = await parts.controller.publicView.wait(seconds: 120) { snapshot in
                snapshot.hasObserved && !snapshot.exits.serving(in: country).isEmpty
            }
            guard let exit = snapshot.exits.serving(in: country).first else {
                return parts.log.error("no exit of \(country) serves yet; `sallyport status` shows why")
            }
            await show(exit)
        } catch {
            parts.log.error("no exit of \(country) can be opened", ["error": "\(error)"])
        }
    }

    private var passwordFile: String { "\(configuration.dataFolder)/\(Self.firstUser).password" }

    /// Without a user the proxies refuse everybody.
    private func makeFirstUser() async throws {
        guard parts.controller.snapshot.desired.users.isEmpty else { return }
        let password = Digest.randomWord(length: 24)
        try await execute(.addUser(ProxyUser.make(name: Self.firstUser, password: password)))
        try Files.write(password + "\n", to: passwordFile, mode: 0o600)
        parts.log.info("made the proxy user \(Self.firstUser)", ["password": passwordFile])
    }

    private func execute(_ command: ControllerCommand) async throws {
        try await Originator.$current.withValue("run --open") { _ = try await parts.controller.execute(command) }
    }

    private func show(_ exit: Exit) async {
        let gateway = Endpoint(address: configuration.gateway.address, port: configuration.gateway.port)
        let user = "\(Self.firstUser)-country-\(exit.country.lowercased)"
        let url = parts.prober.services.urls[0]
        let proxied = await sight(url, through: gateway, as: user)
        let server = exit.server
        let latency = server?.latencyMilliseconds.map(Figures.milliseconds) ?? "not measured"
        let direct = await parts.prober.directAddress() ?? "unknown"
        let address = "http://\(configuration.api.address):\(configuration.api.port)"
        let password = "$(cat \(shown(passwordFile)))"
        let text = """

              country        \(exit.country.name)
              server         \(server?.hostname ?? "?") in \(server?.city ?? "?"): load \(server?.load.map { "\($0) %" } ?? "unknown"), latency \(latency)
              your address   \(direct)
              through proxy  \(proxied)
              countries      \(await countries())

            Try it:
              curl -x "http://\(user):\(password)@\(gateway)" \(url)
              curl -x "socks5h://\(user):\(password)@\(gateway)" \(url)
              curl -H "X-API-Key: $(cat \(shown(configuration.adminKeyFile)))" \(address)/api/exits
              .build/release/sallyport up de; .build/release/sallyport exits; .build/release/sallyport --help

            Admin key: \(shown(configuration.adminKeyFile))   API: \(address)
            \(dashboard(address))
            Ctrl-C ends only the controller: the proxies keep working. `make stop` removes everything.


            """
        // On a thread of its own: nobody may read it.
        let bytes = Array(text.utf8)
        _ = try? await Blocking.run { bytes.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) } }
    }

    /// How an address service sees a request through the gateway.
    private func sight(_ url: String, through gateway: Endpoint, as user: String) async -> String {
        guard let password = try? Files.read(passwordFile).filter({ !$0.isWhitespace }) else {
            return "not asked: the password of \(Self.firstUser) is not in \(passwordFile)"
        }
        do {
            let sighting = try await parts.prober.ask(url, through: HTTPProxy(endpoint: gateway, user: user, password: Secret(password)))
            return sighting.address + (sighting.country.map { " (\($0))" } ?? "")
        } catch {
            return "no answer: \(error)"
        }
    }

    /// A link that signs in without a key; empty where there is no dashboard.
    private func dashboard(_ address: String) -> String {
        guard configuration.api.showsDashboard, let code = api.signInCode(for: APIKey.adminID) else { return "" }
        return """
            Dashboard: \(DashboardLink.url(address, code: code))
            The link signs in once, within five minutes; `.build/release/sallyport dashboard` prints a new one.
            """
    }

    /// All countries with their servers where they are few: what can be asked for next.
    private func countries() async -> String {
        let counts = (try? await parts.servers.catalog.countries()) ?? [:]
        guard counts.count <= 12 else { return "\(counts.count); `sallyport countries` lists them" }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key.lowercased) \($0.value)" }.joined(separator: ", ")
            + " servers"
    }

    /// A path as it is shortest from where the user stands.
    private func shown(_ path: String) -> String {
        let here = Files.absolute(".") + "/"
        return path.hasPrefix(here) ? String(path.dropFirst(here.count)) : path
    }
}
