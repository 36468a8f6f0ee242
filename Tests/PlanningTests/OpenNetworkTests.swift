import Model
import Planning
import Testing

/// Users who were stored before what their networks cover was looked at.
@Suite struct OpenNetworkTests {
    private func user(_ name: String, _ networks: String..., rule: ProxyUser.AddressRule = .insteadOfPassword) -> ProxyUser {
        var user = ProxyUser(name: name, salt: "00", digest: "11", createdAt: Timestamp(milliseconds: 5))
        (user.addresses, user.addressRule) = (networks, rule)
        return user
    }

    @Test func `networks that are much of the internet stand for no password in the gateway, and an alert says so`() throws {
        let users = [
            user("alice", "203.0.113.0/24"), user("bob", "0.0.0.0/1", "128.0.0.0/1"), user("carol", "::ffff:0:0/97"),
            user("dave", "0.0.0.0/0", rule: .withPassword), user("erin", "10.0.0.0/8", "2001:db8::/32"),
        ]
        let maps = GatewayLayout(pools: [], users: users).maps
        let addresses = try #require(maps.first { $0.name == "addresses.map" }).entries
        #expect(addresses == ["203.0.113.0/24": "alice", "10.0.0.0/8": "erin", "2001:db8::/32": "erin"])
        #expect(try #require(maps.first { $0.name == "users.map" }).entries.count == 5, "their passwords go on to count")
        var desired = Desired()
        desired.users = users
        let alerts = Alerts.of(Alerts.Facts(desired: desired, exits: [:]), now: Timestamp(milliseconds: 9))
        #expect(alerts.map(\.subject) == [.user("bob"), .user("carol")] && alerts.allSatisfy { $0.message.contains("password") })
    }
}
