import Glibc
import TestSupport
import Testing

@testable import ExitProxy

/// One proxy on loopback for all tests: two loops, a resolver of its own.
private let proxy = startProxy { _ in }

private let resolver = "127.53.0.1"
/// Started by the first proxy.
private let resolverStart: Void = { do { try ScriptedResolver.start(on: resolver, answer) } catch { Issue.record(error) } }()

private let loopback6 = [UInt8](repeating: 0, count: 15) + [1]

private func answer(_ label: String) -> ScriptedResolver.Answer {
    switch label {
    case "here": .addresses([[127, 0, 0, 1]])
    // Nobody listens at the first of them.
    case "second": .addresses([[127, 0, 0, 9], [127, 0, 0, 1]])
    case "private": .addresses([[10, 0, 0, 1]])
    case "both": .addresses([[127, 0, 0, 1], loopback6])
    case "only": .addresses([loopback6])
    case "big": .large([[127, 0, 0, 1]])
    case "silent": .none
    case "six": .ipv6
    case "empty": .addresses([])
    case "failing": .error(2)
    default: .error(3)
    }
}

/// Starts a proxy that runs until the tests' process ends.
func startProxy(_ change: (inout ProxySettings) -> Void) -> UInt16 {
    resolverStart
    var settings = ProxySettings()
    settings.port = (try? TestTarget.closedPort()) ?? 0
    settings.resolvers = [resolver].compactMap { IPv4($0) }
    settings.secrets = [Array("first".utf8), Array("second".utf8)]
    settings.gateways = ["127.0.0.1"].compactMap { IPv4Network($0) }
    settings.refused = ["10.0.0.0/8"].compactMap { AddressNetwork($0) }
    settings.closedPorts = [25]
    settings.connectMilliseconds = 3000
    change(&settings)
    let (ready, final) = (Semaphore(), settings)
    detach { try? Proxy.run(final, loops: 2) { ready.signal() } }
    ready.wait()
    return settings.port
}

private final class Semaphore: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    init() { sem_init(semaphore, 0, 0) }
    func signal() { sem_post(semaphore) }
    func wait() { sem_wait(semaphore) }
}

let basic = "Proxy-Authorization: Basic ZXhpdDpzZWNvbmQ=\r\n"

private func tunnel(to authority: String, early: String = "") throws -> (wire: Wire, head: String) {
    let wire = try Wire(to: proxy)
    wire.send("CONNECT \(authority) HTTP/1.1\r\nHost: x\r\n\(basic)\r\n\(early)")
    return (wire, wire.text(until: "\r\n\r\n"))
}

/// Sends back what it gets, and ends when its client has.
private func echo() throws -> TestTarget {
    try TestTarget { wire in while let bytes = wire.receive() { wire.send(bytes) } }
}

@Suite(.timeLimit(.minutes(1))) struct TunnelTests {
    @Test(arguments: ["127.0.0.1", "here.test", "second.test", "big.test", "HERE.test."])
    func `a tunnel leads both ways, with what was sent early`(
        host: String
    ) throws {
        let target = try echo()
        let (wire, head) = try tunnel(to: "\(host):\(target.port)", early: "early ")
        #expect(head == "HTTP/1.1 200 Connection established\r\n\r\n")
        wire.send("late")
        wire.end()
        #expect(wire.restAsText == "early late")
    }

    @Test func `an end is passed on, and the other direction goes on`() throws {
        let target = try TestTarget { wire in
            let all = wire.rest()
            wire.send("\(all.count) bytes")
        }
        let (wire, _) = try tunnel(to: "127.0.0.1:\(target.port)")
        wire.send([UInt8](repeating: 7, count: 100_000))
        wire.end()
        #expect(wire.restAsText == "100000 bytes")
    }

    /// The end comes with the bytes of each size before it, in whatever round of the loop that is.
    @Test func `an end is passed on behind any number of bytes`() throws {
        let target = try TestTarget { wire in
            let text = wire.text(until: "\n")
            wire.send([UInt8](repeating: 9, count: Int(text.filter(\.isNumber)) ?? 0))
        }
        for size in stride(from: 0, through: 1_200_000, by: 40_000) {
            let (wire, _) = try tunnel(to: "127.0.0.1:\(target.port)", early: "\(size)\n")
            #expect(wire.rest().count == size)
        }
    }

    @Test func `many megabytes come unchanged, past a client that reads slowly`() throws {
        var random = Seeded(state: 7)
        let block = (0..<(1 << 20)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        let target = try TestTarget { wire in for _ in 0..<24 { wire.send(block) } }
        let (wire, _) = try tunnel(to: "127.0.0.1:\(target.port)")
        usleep(200_000)
        let all = wire.rest()
        #expect(all.count == 24 << 20)
        #expect((0..<24).allSatisfy { all[($0 << 20)..<(($0 + 1) << 20)].elementsEqual(block) })
    }

    @Test func `SOCKS5 leads to the same tunnel`() throws {
        let target = try echo()
        let wire = try Wire(to: proxy)
        wire.send([5, 1, 2])
        #expect(wire.receive() == [5, 2])
        wire.send([1, 4] + Array("exit".utf8) + [5] + Array("first".utf8))
        #expect(wire.receive() == [1, 0])
        wire.send([5, 1, 0, 3, 9] + Array("here.test".utf8) + [UInt8(target.port >> 8), UInt8(target.port & 255)] + Array("hi".utf8))
        wire.end()
        #expect(wire.rest() == Socks5.reply(0) + Array("hi".utf8))
    }

    @Test(arguments: [("here.test", 5), ("nowhere.test", 4), ("six.test", 8), ("private.test", 2)] as [(String, UInt8)])
    func `SOCKS5 says why a target was not reached`(host: String, reply: UInt8) throws {
        let port = try TestTarget.closedPort()
        let wire = try Wire(to: proxy)
        wire.send(
            [5, 1, 2, 1, 4] + Array("exit".utf8) + [5] + Array("first".utf8) + [5, 1, 0, 3, UInt8(host.utf8.count)] + Array(host.utf8))
        wire.send([UInt8(port >> 8), UInt8(port & 255)])
        #expect(wire.rest() == [5, 2, 1, 0] + Socks5.reply(reply))
    }
}

@Suite(.timeLimit(.minutes(1))) struct RefusalTests {
    @Test(arguments: [
        ("here.test:PORT", 502, "target_refused"), ("nowhere.test:80", 502, "dns_failed"), ("failing.test:80", 502, "dns_failed"),
        ("private.test:80", 403, "target_not_allowed"), ("10.1.2.3:80", 403, "target_not_allowed"),
        ("here.test:25", 403, "target_not_allowed"),
        ("empty.test:80", 502, "dns_failed"), ("six.test:80", 502, "address_not_supported"),
        ("[2001:db8::1]:80", 502, "address_not_supported"),
        ("silent.test:80", 504, "target_timeout"),
    ])
    func `why a target was not reached is said`(authority: String, status: Int, reason: String) throws {
        let (wire, head) = try tunnel(to: authority.replacing("PORT", with: "\(try TestTarget.closedPort())"))
        #expect(head.hasPrefix("HTTP/1.1 \(status) ") && head.contains("X-Sallyport-Reason: \(reason)\r\n"), "\(head)")
        #expect(wire.restAsText == "\(reason)\n")
    }

    @Test(arguments: ["", "Proxy-Authorization: Basic ZXhpdDp3cm9uZw==\r\n", "Proxy-Authorization: Bearer second\r\n"])
    func `nobody gets anywhere without a secret`(fields: String) throws {
        let wire = try Wire(to: proxy)
        wire.send("GET http://here.test/ HTTP/1.1\r\n\(fields)\r\n")
        #expect(wire.restAsText.hasPrefix("HTTP/1.1 407 "))
    }

    @Test func `who is not the gateway is not heard`() throws {
        let wire = try Wire(to: startProxy { $0.gateways = ["192.0.2.0/24"].compactMap { IPv4Network($0) } })
        #expect(wire.rest().isEmpty)
    }

    @Test func `a full table refuses, and takes the next one when there is room`() throws {
        let (target, port) = (try echo(), startProxy { $0.connectionLimit = 2 })
        var (held, refused) = ([Wire](), 0)
        // Each of the two loops has room for one, and the kernel chooses the loop.
        for _ in 0..<40 {
            let wire = try Wire(to: port)
            wire.send("CONNECT 127.0.0.1:\(target.port) HTTP/1.1\r\n\(basic)\r\n")
            let head = wire.text(until: "\r\n\r\n")
            if head.contains(" 200 ") { held.append(wire) } else { refused += head.contains("exit_full") || head.isEmpty ? 1 : 0 }
        }
        #expect(held.count == 2 && refused == 38)
        held.removeAll()
        let isServed = try (0..<100).contains { _ in
            let wire = try Wire(to: port)
            wire.send("CONNECT 127.0.0.1:\(target.port) HTTP/1.1\r\n\(basic)\r\n")
            if wire.text(until: "\r\n\r\n").contains(" 200 ") { return true }
            usleep(20_000)
            return false
        }
        #expect(isServed)
    }

    /// Random bytes, and requests with changed ones, from many connections; seeded.
    @Test func `no input ends the proxy`() throws {
        var random = Seeded(state: 1)
        let target = try echo()
        let good = Array(
            "POST http://127.0.0.1:\(target.port)/ HTTP/1.1\r\n\(basic)Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".utf8)
        for _ in 0..<300 {
            var bytes = good
            for _ in 0..<Int.random(in: 0...8, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
            }
            let wire = try Wire(to: proxy)
            wire.send(Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random))))
            if Bool.random(using: &random) { wire.reset() } else { wire.end() }
        }
        #expect(try tunnel(to: "127.0.0.1:\(target.port)").head.contains(" 200 "))
    }
}

@Suite(.timeLimit(.minutes(1))) struct ForwardingTests {
    /// Answers each request with what it got and the number of its connection's requests.
    private func recorder() throws -> TestTarget {
        try TestTarget { wire in
            var count = 0
            while case let head = wire.text(until: "\r\n\r\n"), !head.isEmpty {
                count += 1
                let text = "\(count) \(head)"
                wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
            }
        }
    }

    @Test func `requests of one client to one target share a connection`() throws {
        let (first, second, wire) = (try recorder(), try recorder(), try Wire(to: proxy))
        for (port, count) in [(first.port, 1), (first.port, 2), (second.port, 1), (first.port, 1)] {
            wire.send("GET http://here.test:\(port)/a HTTP/1.1\r\nHost: here.test:\(port)\r\n\(basic)\r\n")
            let text = "\(count) GET /a HTTP/1.1\r\nhost: here.test:\(port)\r\n\r\n"
            #expect(wire.text(until: "\r\n\r\n") == "HTTP/1.1 200 OK\r\ncontent-length: \(text.utf8.count)\r\n\r\n")
            #expect(wire.receive(text.utf8.count).map { String(decoding: $0, as: UTF8.self) } == text)
        }
    }

    @Test func `heads of 65,535 bytes pass both ways`() throws {
        let target = try TestTarget { wire in
            let head = wire.text(until: "\r\n\r\n")
            let field = "X-Size: \(head.utf8.count)\r\nX-Fill: "
            let rest = 65_535 - "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\(field)\r\n\r\n".utf8.count
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\(field)\(String(repeating: "y", count: rest))\r\n\r\nok")
        }
        let wire = try Wire(to: proxy)
        let (start, end) = ("GET http://here.test:\(target.port)/ HTTP/1.1\r\n\(basic)X-Fill: ", "\r\n\r\n")
        wire.send(start + String(repeating: "x", count: 65_535 - start.utf8.count - end.utf8.count) + end)
        let answer = wire.text(until: "ok")
        #expect(answer.utf8.count == 65_537 && answer.hasSuffix("yy\r\n\r\nok") && answer.contains("x-size: 65"), "\(answer.prefix(99))")
        let refused = try Wire(to: proxy)
        refused.send(start + String(repeating: "x", count: 65_536) + end)
        #expect(refused.restAsText.hasPrefix("HTTP/1.1 431 "))
    }

    @Test func `requests that come at once are answered in their order`() throws {
        let (target, wire) = (try recorder(), try Wire(to: proxy))
        let request = "GET http://here.test:\(target.port)/ HTTP/1.1\r\n\(basic)"
        wire.send(String(repeating: "\(request)\r\n", count: 50) + "\(request)Connection: close\r\n\r\n")
        let text = wire.restAsText
        #expect(text.split(separator: "HTTP/1.1 200 OK").count == 51 && text.contains("51 GET / HTTP/1.1"))
    }

    @Test func `an interim answer comes before the body is sent`() throws {
        let target = try TestTarget { wire in
            _ = wire.text(until: "\r\n\r\n")
            wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
            let body = wire.text(until: "body")
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        }
        let wire = try Wire(to: proxy)
        wire.send("PUT http://here.test:\(target.port)/ HTTP/1.1\r\n\(basic)Expect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        #expect(wire.text(until: "\r\n\r\n") == "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
        #expect(wire.text(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
        wire.send("body")
        #expect(wire.text(until: "body").hasSuffix("\r\n\r\nbody"))
    }

    @Test func `chunks pass both ways as they come`() throws {
        let target = try TestTarget { wire in
            _ = wire.text(until: "\r\n\r\n")
            let body = wire.text(until: "0\r\n\r\n")
            wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(body)")
        }
        let wire = try Wire(to: proxy)
        wire.send("POST http://here.test:\(target.port)/ HTTP/1.1\r\n\(basic)Transfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n")
        wire.send("0\r\n\r\n")
        #expect(wire.text(until: "0\r\n\r\n").hasSuffix("\r\n\r\n5;x\r\nhello\r\n0\r\n\r\n"))
    }

    @Test func `a WebSocket passes`() throws {
        let target = try TestTarget { wire in
            guard wire.text(until: "\r\n\r\n").contains("upgrade: websocket\r\nconnection: upgrade") else { return }
            wire.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello ")
            while let bytes = wire.receive() { wire.send(bytes) }
        }
        let wire = try Wire(to: proxy)
        wire.send("GET http://here.test:\(target.port)/ HTTP/1.1\r\n\(basic)Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        #expect(wire.text(until: "\r\n\r\n") == "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")
        wire.send("echo")
        wire.end()
        #expect(wire.restAsText == "hello echo")
    }

    @Test(arguments: [
        ("", "HTTP/1.1 502 "), ("SSH-2.0-x\r\n\r\n", "HTTP/1.1 502 "),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil the end"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 502 "),
    ])
    func `what a target answers is passed on, or called bad`(answer: String, expected: String) throws {
        let target = try TestTarget { wire in
            _ = wire.text(until: "\r\n\r\n")
            wire.send(answer)
        }
        let wire = try Wire(to: proxy)
        wire.send("GET http://here.test:\(target.port)/ HTTP/1.1\r\n\(basic)\r\n")
        let text = wire.restAsText
        #expect(text.hasPrefix(expected), "\(text)")
        #expect(text.contains("502") == text.contains("X-Sallyport-Reason: target_bad_answer"))
    }

    @Test func `an answer that comes before the body is read is not lost`() throws {
        let target = try TestTarget { wire in
            _ = wire.text(until: "\r\n\r\n")
            wire.send("HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nless")
        }
        let wire = try Wire(to: proxy)
        wire.send("POST http://here.test:\(target.port)/ HTTP/1.1\r\n\(basic)Content-Length: 100000000\r\n\r\n")
        #expect(wire.text(until: "less") == "HTTP/1.1 413 Too Large\r\ncontent-length: 4\r\nconnection: close\r\n\r\nless")
    }

    @Test func `a kept connection that the target has closed costs nobody a request`() throws {
        let target = try TestTarget { wire in
            _ = wire.text(until: "\r\n\r\n")
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        let wire = try Wire(to: proxy)
        for _ in 0..<20 {
            wire.send("GET http://here.test:\(target.port)/ HTTP/1.1\r\n\(basic)\r\n")
            #expect(wire.text(until: "ok") == "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        }
    }
}
