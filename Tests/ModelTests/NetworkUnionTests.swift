@testable import Model
import Testing

@Suite struct NetworkUnionTests {
    @Test(
        arguments: [
            ["0.0.0.0/0"], ["0.0.0.0/1", "128.0.0.0/1"], ["::/0"], ["::/1", "8000::/1"], ["2000::/3"], ["8.0.0.0/7"],
            ["8.0.0.0/9", "8.128.0.0/9", "11.0.0.0/32"], ["::ffff:0:0/96"], ["::ffff:0:0/97", "::ffff:8000:0/97"], ["::/80"],
            ["2a00::/16", "2a01::/16"], ["2a00::/15"], ["1.0.0.0/8", "2001:db8::1", "2.0.0.0/32"], ["8.0.0.0/8", "::ffff:900:0/104"],
        ])
    func `networks that are much of the internet are told from others, in one piece or in many`(texts: [String]) throws {
        #expect(NetworkUnion(try texts.map { try #require(Network($0)) }).excess != nil)
    }

    @Test(
        arguments: [
            [], ["203.0.113.7"], ["8.0.0.0/8"], ["8.0.0.0/9", "8.128.0.0/9", "8.1.0.0/16"],
            ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "8.0.0.0/8"],
            ["224.0.0.0/3", "0.0.0.0/8", "127.0.0.0/8", "100.64.0.0/10"], ["fc00::/7", "fe80::/10", "2a00::/16"], ["::1", "2001:db8::/32"],
            ["::ffff:808:808", "8.0.0.0/8"], ["::ffff:a00:0/104"],
        ])
    func `networks of one's own may be many`(texts: [String]) throws {
        #expect(NetworkUnion(try texts.map { try #require(Network($0)) }).excess == nil)
    }

    @Test func `all halves, quarters and so on of everybody are as much as everybody`() throws {
        let everybody = try #require(Network("0.0.0.0/0"))
        for prefix in 1...10 {
            let all = (0..<1 << prefix).map { number in
                let first = number << (32 - prefix)
                return "\(first >> 24).\((first >> 16) & 255).0.0/\(prefix)"
            }
            let networks = try all.map { try #require(Network($0)) }
            #expect(NetworkUnion(networks.shuffled()).publicIPv4 == NetworkUnion([everybody]).publicIPv4)
            #expect(NetworkUnion(networks.shuffled()).excess != nil)
        }
    }

    @Test(
        arguments: [
            ("0.0.0.0/0", "::ffff:0:0/96"), ("10.1.2.3/8", "::ffff:a00:0/104"), ("1.2.3.4", "::ffff:102:304"),
            ("1.2.3.4/32", "0:0:0:0:0:ffff:102:304/128"),
        ])
    func `an address of IPv4 is the one that IPv6 has for it`(v4: String, v6: String) throws {
        let (first, second) = (try #require(Network(v4)), try #require(Network(v6)))
        #expect(first.range == second.range)
    }

    private func user(_ name: String, _ networks: String...) -> ProxyUser {
        var user = ProxyUser(name: name, passwords: [], createdAt: Timestamp(milliseconds: 0))
        (user.addresses, user.addressRule) = (networks, .insteadOfPassword)
        return user
    }

    @Test func `what all users have together counts, and the one on top is refused`() {
        let (alice, bob, carol) = (user("alice", "8.0.0.0/9"), user("bob", "8.128.0.0/9"), user("carol", "9.0.0.0/30"))
        #expect(bob.openProblem(before: nil, others: [alice]) == nil)
        let problem = carol.openProblem(before: nil, others: [alice, bob])
        #expect(problem?.contains("9.0.0.0/30 of carol") == true && problem?.contains("8.0.0.0/9 of alice") == true)
        var secured = carol
        secured.addressRule = .withPassword
        #expect(secured.openProblem(before: nil, others: [alice, bob]) == nil)
        #expect(ProxyUser.openUsers(among: [carol, bob, alice, secured]).refused.map(\.name) == ["carol"])
    }

    @Test func `a user of before who has too much can be changed and made smaller, and keeps nobody else out`() {
        let old = user("old", "0.0.0.0/1", "128.0.0.0/1")
        var disabled = old
        disabled.isDisabled = true
        #expect(disabled.openProblem(before: old, others: [old]) == nil)
        #expect(user("old", "0.0.0.0/1").openProblem(before: old, others: [old]) == nil)
        #expect(user("old", "0.0.0.0/2").openProblem(before: old, others: [old]) != nil)
        #expect(user("new", "8.8.8.0/24").openProblem(before: nil, others: [old]) == nil)
    }
}
