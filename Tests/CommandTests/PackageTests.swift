import Model
import Platform
import Providers
import TestSupport
import Testing
@testable import sallyport

/// `containers/debian`: what the package's services and its example say to the controller. `make try-deb` installs it.
struct PackageTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try Files.makePrivateFolder("\(folder.path)/secrets")
        try Files.makePrivateFolder("\(folder.path)/wireguard")
        try Files.write("the-access-token\n", to: "\(folder.path)/secrets/nordvpn.token", mode: 0o600)
        try Files.write(WireGuardKeys().privateKey.revealed, to: "\(folder.path)/secrets/mullvad.key", mode: 0o600)
    }

    private func lines(_ name: String) throws -> [Substring] {
        try Files.readText("\(Repository.root)/containers/debian/\(name)", limit: 1 << 16).split(separator: "\n")
    }

    private func load(_ text: String, _ environment: [String: String] = [:]) throws -> Configuration {
        let path = "\(folder.path)/sallyport.yaml"
        try Files.write(text.replacing("/etc/sallyport", with: folder.path), to: path, mode: 0o600)
        return try Configuration.load(file: path, environment: ["SALLYPORT_SHARE_DIR": Repository.root].merging(environment) { $1 })
    }

    @Test func `the package's settings are settings, and name what its units share`() throws {
        let pairs = try lines("environment").filter { !$0.hasPrefix("#") }.map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
        var environment = Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0[1]) })
        #expect(environment["SALLYPORT_SHARE_DIR"] == "/usr/share/sallyport")
        let group = try #require(environment["SALLYPORT_GATEWAY_GROUP"])
        // What is only there where the package is installed.
        (environment["SALLYPORT_SHARE_DIR"], environment["SALLYPORT_GATEWAY_GROUP"]) = (nil, nil)
        let configuration = try load("providers: {nordvpn: {access_token_file: /etc/sallyport/secrets/nordvpn.token}}\n", environment)
        #expect(!configuration.gateway.isStartedByUs && !configuration.redisIsShared)
        let redis = try lines("debian/sallyport.sallyport-redis.service").joined(separator: "\n")
        let socket = try #require(environment["SALLYPORT_REDIS_URL"]).replacing("unix://", with: "")
        #expect(configuration.redis != nil && redis.contains("--unixsocket \(socket) "))
        let guardian = try lines("debian/sallyport.sallyport-guard.service").joined(separator: "\n")
        #expect(guardian.contains("--listen \(configuration.docker.host) "))
        #expect(guardian.contains("--image-archive \(configuration.docker.imageArchive ?? "")"))
        let gateway = try lines("debian/sallyport.sallyport-gateway.service").joined(separator: "\n")
        #expect(gateway.contains("gateway \(configuration.gateway.directory) \(group)\n"))
        #expect(try lines("debian/sallyport.sysusers").contains("m sallyport \(group)"))
    }

    @Test func `what the example has as comments is a configuration`() throws {
        let example = try lines("sallyport.yaml")
        #expect(throws: ConfigurationError.self) { try load(example.joined(separator: "\n")) }
        // Prose has one blank behind its mark, settings none or more, and a colon.
        let told = example.filter { $0.contains(":") && (!$0.hasPrefix("# ") || $0.hasPrefix("#  ")) }.map { $0.dropFirst() }
        let configuration = try load(told.joined(separator: "\n") + "\n")
        let names = configuration.providers.map { "\($0.provider.name)" }
        #expect(names == ["nordvpn", "mullvad"])
        #expect(configuration.wireGuard != nil)
    }
}
