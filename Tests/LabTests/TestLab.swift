import DockerEngine
import FoundationEssentials
import Glibc
import HTTPServing
import HTTPTransport
import Model
import Platform
import TestSupport

@testable import Lab

/// The engine that `make test` offers; without one the tests on the lab can't run.
let engineAddress = getenv("DOCKER_HOST").map { String(cString: $0) }

/// The project's own folder.
let projectFolder = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()

/// One lab for all tests, on addresses of its own, with the provider's API inside the test's process.
struct TestLab: Sendable {
    let lab: Lab
    let api: LabAPI
    let apiServer: HTTPServer
    let engine: EngineClient
    let client: HTTPClient

    static let shared = Task { try await TestLab() }

    private init() async throws {
        client = HTTPClient()
        engine = try EngineClient(address: engineAddress ?? "", client: client)
        lab = try Lab(
            layout: LabLayout(name: "sallyport-test-lab", network: 19, hasMortals: false), folder: "\(projectFolder)/.build/test-lab",
            imageArchive: "\(projectFolder)/.build/images/lab.tar", engine: engine, log: .none)
        // What a run that was killed may have left.
        for container in try await engine.listContainers(labels: ["io.sallyport.owner"]) where container.name.hasPrefix("sp-test-") {
            try await engine.removeContainer(container.id)
        }
        for network in try await engine.listNetworks(label: "io.sallyport.owner") where network.name.hasPrefix("sp-test-") {
            try await engine.removeNetwork(network.name)
        }
        try await lab.up()
        api = LabAPI(catalog: LabCatalog(lab.layout, lab.keys, size: 1_000), keys: lab.keys)
        apiServer = try HTTPServer(address: "127.0.0.1", port: 0, dispatch: api.dispatcher())
    }

    var apiURL: String { "http://127.0.0.1:\(apiServer.port)" }

    func server(_ name: String) throws -> LabServer {
        guard let server = lab.layout.servers.first(where: { $0.container == name }) else { throw TimeoutError(what: "no server \(name)") }
        return server
    }

    /// Exits as containers, with an owner and a network of their own.
    /// - Parameter engine: nil for the lab's own way to it.
    func exitContainers(
        owner: String, engine other: EngineClient? = nil, refused: RefusedTargets = RefusedTargets(),
        credentials: ExitCredentials = TestLab.credentials
    ) -> ExitContainers {
        ExitContainers(
            engine: other ?? engine,
            settings: .init(
                owner: owner, image: ExitContainers.imageName("sallyport-exit", of: "\(projectFolder)/.build/images/exit.tar"),
                imageArchive: "\(projectFolder)/.build/images/exit.tar", network: owner, subnet: nil,
                credentials: credentials, refused: refused),
            log: .none)
    }

    /// Of the exits that tests start without a controller.
    static let credentials = ExitCredentials(root: RootKey(text: Secret(Digest.randomHex(bytes: 32))))

    /// What an exit on this server is made of.
    func specification(_ server: LabServer, generation: Int = 1, address: String? = nil, key: String? = nil) -> ExitSpecification {
        let entry = Server(
            provider: .nordvpn, hostname: server.hostname, address: address ?? server.address, port: 51820,
            publicKey: key ?? lab.keys.cities[server.city]?.publicKey ?? "", country: server.country, city: server.city, load: server.load)
        return ExitSpecification(
            id: ExitID(country: server.country, number: 1), generation: generation, server: entry,
            facts: TunnelFacts(clientAddress: "10.5.0.2/32", dns: [lab.layout.internet], mtu: 1380, keepalive: 25),
            privateKey: Secret(lab.keys.client.privateKey), checkName: "check.lab.test")
    }

    /// Asks through an exit that a test has started, with its pool's credential.
    func get(_ url: String, throughExit endpoint: Endpoint, of country: CountryCode = us, deadline: Double = 5) async throws -> HTTPResponse
    {
        let password = Self.credentials.pool(country).revealed
        return try await get(url, through: endpoint, user: ExitCredentials.user, password: password, deadline: deadline)
    }

    /// Asks through an HTTP proxy.
    func get(
        _ url: String, through endpoint: Endpoint, user: String? = nil, password: String? = nil, deadline: Double = 5,
        connectDeadline: Double = 2, tunnels: Bool = false
    ) async throws -> HTTPResponse {
        var request = HTTPRequest("GET", url)
        request.proxy = "http://\(endpoint)"
        request.proxyUser = user
        request.proxyPassword = password.map { Secret($0) }
        request.connectDeadline = connectDeadline
        request.deadline = deadline
        request.tunnels = tunnels
        return try await client.send(request)
    }
}

let us = CountryCode("us")!  // An ISO code.

func randomOwner() -> String { "sp-test-\(Digest.randomHex(bytes: 3))" }
