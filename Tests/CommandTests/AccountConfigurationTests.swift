import API
import Model
import Planning
import Platform
import Providers
import TestSupport
import Testing

@testable import sallyport

/// `providers.<name>.accounts`: what is read, and what is refused.
@Suite struct AccountConfigurationTests {
    private let folder: TemporaryFolder
    private static let keys = (0..<2).map { _ in WireGuardKeys().privateKey.revealed }

    init() throws {
        folder = try TemporaryFolder()
        for (index, key) in Self.keys.enumerated() { try Files.write("\(key)\n", to: "\(folder.path)/key\(index)", mode: 0o600) }
        for name in ["alice", "bob"] { try Files.write("token-of-\(name)\n", to: "\(folder.path)/\(name).token", mode: 0o600) }
    }

    private func load(_ provider: String, _ lines: String) throws -> Configuration {
        let path = "\(folder.path)/sallyport.yaml"
        let text = lines.split(separator: "\n", omittingEmptySubsequences: false).map { "    \($0)" }.joined(separator: "\n")
        try Files.write("share_dir: \(Repository.root)\nproviders:\n  \(provider):\n\(text)\n", to: path, mode: 0o600)
        return try Configuration.load(file: path, environment: [:])
    }

    private func problems(_ provider: String, _ lines: String) throws -> [String] {
        try #require(throws: ConfigurationError.self) { try load(provider, lines) }.problems
    }

    @Test func `accounts have a name, credentials, a budget and what their tunnels need, each its own`() throws {
        let configuration = try load(
            "nordvpn",
            """
            dns: [10.5.0.1]
            accounts:
              - {name: alice, access_token_file: \(folder.path)/alice.token, devices: 3}
              - {name: bob, private_key_file: \(folder.path)/key0, address: 10.5.0.9/32, dns: [10.5.0.7]}
            """)
        let accounts = try #require(configuration.providers.first?.accounts)
        #expect(accounts.map(\.name) == ["alice", "bob"] && accounts.map(\.devices) == [3, 10])
        #expect(accounts.map(\.facts.dns) == [["10.5.0.1"], ["10.5.0.7"]])
        #expect(accounts.map(\.facts.clientAddress) == [Provider.nordvpn.facts.clientAddress, "10.5.0.9/32"])
        #expect(configuration.deviceBudget.accounts == [.nordvpn: [.init("alice", 3), .init("bob", 10)]])
        let printed = configuration.description
        #expect(printed.contains("providers.nordvpn.accounts.alice.access_token: ********"))
        #expect(!printed.contains("token-of-alice") && !printed.contains(Self.keys[0]))
        let origin = configuration.settings.first { $0.name == "providers.nordvpn.accounts.bob.devices" }?.from
        #expect(origin?.hasSuffix("sallyport.yaml") == true)
    }

    @Test func `the form with one key beside the provider's fields is one account without a name`() throws {
        let configuration = try load("surfshark", "private_key_file: \(folder.path)/key0\ndevices: 4")
        #expect(configuration.providers.first?.accounts.map(\.name) == [nil])
        #expect(configuration.deviceBudget.limits == [.surfshark: 4] && configuration.deviceBudget.accounts.isEmpty)
    }

    @Test func `a budget of none is refused, and in the form without names it means no limit`() throws {
        let expected = "devices: is 0, expected 1 to 1000"
        let ofFiles = try problems("wireguard", "directory: \(folder.path)\ndevices: 0")
        #expect(ofFiles.count == 1 && ofFiles[0].hasPrefix("providers.wireguard.\(expected)"), "\(ofFiles)")
        let ofAccount = try problems("nordvpn", "accounts: [{name: a, access_token_file: \(folder.path)/alice.token, devices: 0}]")
        #expect(ofAccount.count == 1 && ofAccount[0].hasPrefix("providers.nordvpn.accounts[0].\(expected)"), "\(ofAccount)")
        #expect(try load("surfshark", "private_key_file: \(folder.path)/key0\ndevices: 0").deviceBudget.limits == [:])
    }

    @Test func `mistakes name the account's field`() throws {
        let (alice, bob, key) = ("\(folder.path)/alice.token", "\(folder.path)/bob.token", "\(folder.path)/key0")
        let cases: [(String, [String])] = [
            ("accounts: []", ["accounts: is empty, expected one account or more, each with a name and a key"]),
            ("accounts: alice", ["accounts: is a string, expected a list of objects"]),
            (
                "accounts: [{access_token_file: \(alice)}]",
                ["accounts[0].name: is missing, expected a name of 1 to 40 of a-z 0-9 -, like alice"]
            ),
            ("accounts: [{name: Alice!, access_token_file: \(alice)}]", ["accounts[0].name: expected 1 to 40 of a-z 0-9 -"]),
            (
                "accounts: [{name: a}]",
                ["accounts[0].access_token_file: is missing, expected a file with the account's access token (or private_key_file)"]
            ),
            ("accounts: [{name: a, access_token_file: \(alice), devices: 0}]", ["accounts[0].devices: is 0, expected 1 to 1000"]),
            (
                "accounts: [{name: a, access_token_file: \(alice)}, {name: a, access_token_file: \(bob)}]",
                ["accounts[1].name: is a, as of another account, expected a name for each"]
            ),
            (
                "accounts: [{name: a, access_token_file: \(alice)}, {name: b, access_token_file: \(alice)}]",
                [
                    "accounts[1].access_token_file: is the token of the account a, expected another one: accounts with one token share its devices"
                ]
            ),
            (
                "accounts: [{name: a, private_key: \(Self.keys[0])}, {name: b, private_key_file: \(key)}]",
                ["accounts[1].private_key_file: is the key of the account a, expected another one: accounts with one key share its devices"]
            ),
            (
                "access_token_file: \(bob)\ndevices: 3\naccounts: [{name: a, access_token_file: \(alice)}]",
                ["access_token_file", "devices"].map {
                    "\($0): is set, and accounts too; expected one of the two: put it into an entry of accounts"
                }
            ),
            ("accounts: [{name: a, access_token_file: \(alice), colour: red}]", ["accounts[0].colour: unknown field"]),
        ]
        for (lines, expected) in cases {
            let found = try problems("nordvpn", lines)
            #expect(found.count == expected.count, "\(lines): \(found)")
            for (found, expected) in zip(found, expected) { #expect(found.hasPrefix("providers.nordvpn.\(expected)"), "\(lines)") }
            #expect(!found.joined().contains("token-of-") && !found.joined().contains(Self.keys[0]))
        }
    }

    @Test func `a file that can't be read is told by its field`() throws {
        let found = try problems("mullvad", "accounts: [{name: a, private_key_file: \(folder.path)/none, address: 10.64.0.2/32}]")
        #expect(found.count == 1 && found[0].hasPrefix("providers.mullvad.accounts[0].private_key_file: "))
        let without = try problems("mullvad", "accounts: [{name: a, private_key_file: \(folder.path)/key0}]")
        #expect(without.count == 1 && without[0].hasPrefix("providers.mullvad.accounts[0].address: is missing"))
    }
}
