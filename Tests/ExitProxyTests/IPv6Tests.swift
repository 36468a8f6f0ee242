import Testing

@testable import ExitProxy

/// A proxy whose tunnel carries IPv6; loopback takes the place of the internet.
private let proxy = startProxy { settings in
    settings.hasIPv6 = true
    settings.refused += ["fc00::/7", "2001:db8::/32"].compactMap { AddressNetwork($0) }
}

private func echo(at address: String = "::1", port: UInt16 = 0) throws -> TestTarget {
    try TestTarget(at: address, port: port) { wire in while let bytes = wire.receive() { wire.send(bytes) } }
}

@Suite(.timeLimit(.minutes(1))) struct IPv6Tests {
    private func answer(to authority: String, at port: UInt16 = proxy) throws -> (wire: Wire, head: String) {
        let wire = try Wire(to: port)
        wire.send("CONNECT \(authority) HTTP/1.1\r\nHost: x\r\n\(basic)\r\n")
        return (wire, wire.text(until: "\r\n\r\n"))
    }

    @Test(arguments: ["[::1]", "[0:0:0:0:0:0:0:1]", "only.test", "both.test"])
    func `a tunnel leads to an address, and to a name that has one`(host: String) throws {
        let target = try echo()
        let (wire, head) = try answer(to: "\(host):\(target.port)")
        #expect(head.hasPrefix("HTTP/1.1 200 "))
        wire.send("there and back")
        wire.end()
        #expect(wire.restAsText == "there and back")
    }

    @Test(arguments: ["[::1]", "only.test"]) func `a plain request leads there too`(host: String) throws {
        let target = try TestTarget(at: "::1") { wire in
            let head = wire.text(until: "\r\n\r\n")
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(head.utf8.count)\r\nConnection: close\r\n\r\n\(head)")
        }
        let wire = try Wire(to: proxy)
        wire.send("GET http://\(host):\(target.port)/x HTTP/1.1\r\nHost: \(host):\(target.port)\r\n\(basic)\r\n")
        let answer = wire.restAsText
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.contains("GET /x HTTP/1.1\r\n") && !answer.contains("Basic"))
    }

    @Test func `SOCKS5 leads there by its own kind of address`() throws {
        let target = try echo()
        let port = [UInt8(target.port >> 8), UInt8(target.port & 255)]
        let handshake: [UInt8] = [5, 1, 2, 1, 4] + Array("exit".utf8) + [5] + Array("first".utf8)
        let six = [UInt8](repeating: 0, count: 15) + [1]
        let wire = try Wire(to: proxy)
        wire.send(handshake + [5, 1, 0, 4] + six + port + Array("hi".utf8))
        wire.end()
        #expect(wire.rest() == [5, 2, 1, 0] + Socks5.reply(0) + Array("hi".utf8))
        let other = try Wire(to: startProxy { _ in })
        other.send(handshake + [5, 1, 0, 4] + six + port)
        #expect(other.rest() == [5, 2, 1, 0] + Socks5.reply(8))
    }

    @Test func `IPv6 comes first, and IPv4 where nobody listens there`() throws {
        let six = try echo()
        let (first, firstHead) = try answer(to: "both.test:\(six.port)")
        #expect(firstHead.hasPrefix("HTTP/1.1 200 "))
        first.end()
        let four = try echo(at: "127.0.0.1")
        let (second, secondHead) = try answer(to: "both.test:\(four.port)")
        #expect(secondHead.hasPrefix("HTTP/1.1 200 "))
        second.end()
        let (_, head) = try answer(to: "only.test:\(four.port)")
        #expect(head.contains("X-Sallyport-Reason: target_refused\r\n"))
    }

    @Test(arguments: [
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:10.0.0.1]", "[fd00::1]", "[2001:db8::1]", "[64:ff9b::10.0.0.1]",
        "[2002:a00:1::1]", "[2606:4700::5efe:10.0.0.1]", "[2606:4700::200:5efe:a00:1]",
    ])
    func `what is refused by IPv4 is refused in each form of IPv6`(host: String) throws {
        // Somebody listens where a mapped address would lead.
        let target = try echo(at: "127.0.0.1")
        #expect(try answer(to: "\(host):\(target.port)").head.contains("X-Sallyport-Reason: target_not_allowed\r\n"))
    }

    @Test(arguments: ["[::1]", "only.test"]) func `a tunnel without IPv6 says so`(host: String) throws {
        let target = try echo()
        let (_, head) = try answer(to: "\(host):\(target.port)", at: startProxy { _ in })
        #expect(head.contains("X-Sallyport-Reason: address_not_supported\r\n"))
    }

    @Test(arguments: ["[]", "[1::2::3]", "[::1", "[::1%lo]", "[1:2:3:4:5:6:7]", "[::g]", "[1.2.3.4]", "[:]"])
    func `what only looks like an address is no target`(host: String) throws {
        #expect(try answer(to: "\(host):80").head.hasPrefix("HTTP/1.1 400 "))
    }

    @Test func `addresses are tried by turns, IPv6 first`() throws {
        func four(_ last: UInt32) -> Address { .v4(IPv4(number: last)) }
        func six(_ last: UInt64) -> Address { .v6(IPv6(high: 0, low: last)) }
        #expect(Address.inTurns([four(1), four(2), six(1), four(3)]) == [six(1), four(1), four(2), four(3)])
        #expect(Address.inTurns([six(1), six(2), four(1)]) == [six(1), four(1), six(2)])
        #expect(Address.inTurns([six(1), six(2), four(1)], beginsWithIPv6: false) == [four(1), six(1), six(2)])
        #expect(Address.inTurns([]) == [])
    }

    @Test func `where IPv6 has lost three times it begins seldom, until it wins`() {
        let families = Families()
        func share() -> Int { (0..<1600).count { _ in families.prefersIPv6 } }
        for _ in 0..<2 { families.won(isIPv6: false) }
        #expect(share() == 1600)
        families.won(isIPv6: false)
        #expect((40...200).contains(share()))
        families.won(isIPv6: true)
        #expect(share() == 1600)
    }

    @Test(
        arguments: [
            ("::ffff:192.0.2.1", "192.0.2.1"), ("64:ff9b::192.0.2.1", "192.0.2.1"), ("64:ff9b:0:1::192.0.2.1", nil),
            ("2002:c000:201::5", "192.0.2.1"), ("2606:4700::5efe:192.0.2.1", "192.0.2.1"), ("2606:4700::200:5efe:192.0.2.1", "192.0.2.1"),
            ("2606:4700::100:5efe:192.0.2.1", nil), ("2606:4700::1", nil),
        ] as [(String, String?)])
    func `an address that leads to one of IPv4 says which`(text: String, inner: String?) throws {
        #expect(try #require(IPv6(text)).carried == inner.flatMap { IPv4($0) })
    }

    @Test(arguments: [
        ("2000::/3", "3fff:ffff::1", true), ("2000::/3", "4000::", false), ("::/0", "ffff::1", true),
        ("2001:db8:0:1::/64", "2001:db8:0:1:ffff::", true), ("2001:db8:0:1::/64", "2001:db8:0:2::", false),
        ("2001:db8::8/125", "2001:db8::f", true), ("2001:db8::8/125", "2001:db8::7", false), ("::1", "::1", true), ("::1", "::2", false),
    ])
    func `a network has what begins as it does`(network: String, address: String, isInside: Bool) throws {
        #expect(try #require(IPv6Network(network)).contains(try #require(IPv6(address))) == isInside)
    }

    @Test(arguments: ["2001:db8::1/32", "::/129", "::/-1", "1.2.3.4/8", "::/", "", "::1\0"])
    func `what is no network is refused`(text: String) { #expect(IPv6Network(text) == nil) }
}
