import Testing
@testable import ExitProxy

private func bytes(_ text: String) -> ArraySlice<UInt8> { Array(text.utf8)[...] }

@Suite struct RequestParsingTests {
    private func read(_ text: String) throws -> Request? { try Request.read(bytes(text))?.request }

    @Test(arguments: [
        ("CONNECT example.com:443 HTTP/1.1\r\n\r\n", "example.com", 443 as UInt16),
        ("CONNECT EXAMPLE.com.:443 HTTP/1.1\r\nHost: other\r\n\r\n", "example.com", 443),
        ("GET http://example.com HTTP/1.1\r\n\r\n", "example.com", 80),
        ("GET HTTP://example.com:8080?q=1 HTTP/1.0\r\n\r\n", "example.com", 8080),
        ("PROPFIND http://a_b.example/x HTTP/1.1\r\n\r\n", "a_b.example", 80),
    ])
    func `a request's target is read`(text: String, host: String, port: UInt16) throws {
        #expect(try read(text)?.target == Target(host: .name(host), port: port))
    }

    @Test func `addresses are told from names`() throws {
        let six = IPv6(high: 0x2001_0DB8_0000_0000, low: 1)
        #expect(
            try read("CONNECT 192.0.2.7:1 HTTP/1.1\r\n\r\n")?.target
                == Target(host: .address(.v4(try #require(IPv4("192.0.2.7")))), port: 1))
        #expect(try read("CONNECT [2001:DB8::1]:443 HTTP/1.1\r\n\r\n")?.target == Target(host: .address(.v6(six)), port: 443))
    }

    @Test(arguments: [
        "CONNECT example.com HTTP/1.1", "CONNECT example.com:0 HTTP/1.1", "CONNECT example.com:65536 HTTP/1.1", "CONNECT :443 HTTP/1.1",
        "CONNECT a..b:443 HTTP/1.1", "CONNECT 010.0.0.1:443 HTTP/1.1", "CONNECT 2130706433:443 HTTP/1.1", "CONNECT 0x7f.1:443 HTTP/1.1",
        "CONNECT a.0X7f:443 HTTP/1.1",
        "CONNECT 127.1:443 HTTP/1.1", "CONNECT user@example.com:443 HTTP/1.1", "GET http://user@example.com/ HTTP/1.1",
        "GET http://example.com:80:80/ HTTP/1.1", "GET http://exa%6dple.com/ HTTP/1.1", "GET http://example.com/#x HTTP/1.1",
        "GET https://example.com/ HTTP/1.1", "GET http:///x HTTP/1.1", "CONNECT [::1:443 HTTP/1.1", "CONNECT [1]:443 HTTP/1.1",
    ])
    func `a target that could be read in two ways is refused`(line: String) {
        #expect(throws: Request.Fault.badTarget) { try read("\(line)\r\n\r\n") }
    }

    @Test(arguments: ["GET / HTTP/1.1", "OPTIONS * HTTP/1.1"]) func `a request for a server is refused`(line: String) {
        #expect(throws: Request.Fault.notForAProxy) { try read("\(line)\r\nHost: a\r\n\r\n") }
    }

    @Test(arguments: [
        "GET http://a/ HTTP/1.1\nHost: a\n\n\r\n\r\n", "GET http://a/ HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nA: b\u{0}\r\n\r\n", "GET http://a/ HTTP/1.1\r\nA: b\rc\r\n\r\n", "GET http://a/ HTTP/1.1\r\n: b\r\n\r\n",
        "GET http://a/ HTTP/2.0\r\n\r\n", "GET  http://a/ HTTP/1.1\r\n\r\n", "GET http://a/\r\n\r\n", "G(T http://a/ HTTP/1.1\r\n\r\n",
        "\r\n\r\n",
        "POST http://a/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST http://a/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "POST http://a/ HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
        "POST http://a/ HTTP/1.1\r\nContent-Length: 1,1\r\n\r\n", "POST http://a/ HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "POST http://a/ HTTP/1.1\r\nTransfer-Encoding:\r\n\r\n", "POST http://a/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST http://a/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    ])
    func `what is not exactly HTTP is refused`(text: String) {
        #expect(throws: Request.Fault.malformed) { try read(text) }
    }

    @Test func `a head is waited for up to its limit`() throws {
        let field = "A: \(String(repeating: "x", count: 65_000))\r\n"
        let (open, whole) = (try read("GET http://a/ HTTP/1.1\r\n\(field)"), try read("GET http://a/ HTTP/1.1\r\n\(field)\r\n"))
        #expect(open == nil && whole != nil)
        #expect(throws: Request.Fault.tooLarge) { try read("GET http://a/ HTTP/1.1\r\n\(field)\(field)") }
    }

    @Test func `each cut of a head is waited for, and none changes what is read`() throws {
        let text = bytes("POST http://a/b?c HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        let whole = try #require(try Request.read(text))
        #expect(text.count - whole.size == 3)
        for size in 0..<whole.size { #expect(try Request.read(text.prefix(size)) == nil) }
        #expect(try Request.read(text.prefix(whole.size)) != nil)
    }

    @Test(arguments: [
        (
            "GET http://a:81/b?c HTTP/1.1\r\nHost: a:81\r\nProxy-Authorization: Basic x\r\nProxy-Connection: keep-alive\r\nX-A: b\r\n\r\n",
            "GET /b?c HTTP/1.1\r\nhost: a:81\r\nx-a: b\r\n\r\n"
        ),
        (
            "GET http://a HTTP/1.1\r\nConnection: close, X-Own\r\nX-Own: 1\r\nExpect: 100-continue\r\n\r\n",
            "GET / HTTP/1.1\r\nexpect: 100-continue\r\n\r\n"
        ),
        (
            "GET http://a/ HTTP/1.1\r\nConnection: Upgrade, keep-alive\r\nUpgrade: websocket\r\nKeep-Alive: 5\r\n\r\n",
            "GET / HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
        ),
        (
            "POST http://a/ HTTP/1.1\r\nConnection: content-length\r\nContent-Length: 1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\n"
        ),
    ])
    func `a target gets the request alone, and nothing of the proxy's`(text: String, sent: String) throws {
        var buffer = ByteBuffer()
        try #require(try read(text)).write(to: &buffer)
        #expect(String(decoding: buffer.contents, as: UTF8.self) == sent)
    }
}

@Suite struct AnswerParsingTests {
    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "GET", false, false), ("HTTP/1.1 200 OK\r\n\r\n", "GET", false, true),
        ("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", false, false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "HEAD", true, false),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", "GET", true, false), ("HTTP/1.0 204 x\r\n\r\n", "GET", true, false),
    ])
    func `an answer's body ends where its head says`(text: String, method: String, isDone: Bool, untilClose: Bool) throws {
        let body = try #require(try Answer.read(bytes(text), to: method)).answer.body
        #expect(body.isDone == isDone && body.endsWithConnection == untilClose)
    }

    @Test(arguments: [
        "HTTP/1.1 20 OK\r\n\r\n", "HTTP/2 200\r\n\r\n", "ICY 200 OK\r\n\r\n", "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ])
    func `what is no answer is refused`(text: String) {
        #expect(throws: Answer.Fault.self) { try Answer.read(bytes(text), to: "GET") }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\nA: b\nContent-Length: 3\n\n", "HTTP/1.1 200 OK\r\nA:\r\n b\r\nContent-Length: 3\n\r\n",
        "HTTP/1.1 200 OK\nA: b\r\nContent-Length:\n\t3\r\n\n",
    ])
    func `an answer may end its lines with LF alone, and fold them`(text: String) throws {
        let (answer, size) = try #require(try Answer.read(bytes(text + "abc"), to: "GET"))
        var buffer = ByteBuffer()
        answer.write(to: &buffer, closes: false)
        #expect(String(decoding: buffer.contents, as: UTF8.self) == "HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 3\r\n\r\n")
        #expect(size == text.utf8.count)
    }

    @Test func `a target can't speak for the proxy`() throws {
        let text = "HTTP/1.1 502 Bad\r\nX-Sallyport-Reason: dns_failed\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
        var buffer = ByteBuffer()
        try #require(try Answer.read(bytes(text), to: "GET")).answer.write(to: &buffer, closes: true)
        #expect(String(decoding: buffer.contents, as: UTF8.self) == "HTTP/1.1 502 Bad\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    }
}

@Suite struct ByteBufferTests {
    @Test func `a buffer that is never empty keeps its size`() {
        var buffer = ByteBuffer()
        buffer.append([UInt8](repeating: 1, count: 1000))
        for _ in 0..<10_000 {
            buffer.append([UInt8](repeating: 2, count: 100))
            buffer.removeFirst(100)
        }
        #expect(buffer.count == 1000 && buffer.held < 4000)
    }
}

@Suite struct BodyScannerTests {
    private func chunked() throws -> BodyScanner {
        let head = try #require(try Head.read(bytes("POST x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), isStrict: true)).head
        return try BodyScanner(of: head, isOneOne: true, absent: .none)
    }

    @Test(arguments: ["0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "A;x=y\r\n0123456789\r\n00\r\nT: 1\r\n\r\n", "1 \r\n\r\r\n0\r\n\r\n"])
    func `a chunked body ends at its end, however it is cut`(text: String) throws {
        for cut in 0...text.utf8.count {
            var scanner = try chunked()
            let all = bytes(text + "GET")
            let first = try scanner.take(all.prefix(cut))
            let second = try scanner.take(all.dropFirst(first))
            #expect(first + second == text.utf8.count && scanner.isDone)
        }
    }

    @Test(arguments: ["\r\n", "g\r\n", "-1\r\n", "1\nx", "1\r\nxy", "0\r\n\n", "1;\n", "10000000000000000\r\n", "0\r\na\u{1}", "1\r\nx\r0"])
    func `a chunked body that is not well formed is refused`(text: String) throws {
        var scanner = try chunked()
        #expect(throws: BodyScanner.Fault.malformed) { try scanner.take(bytes(text)) }
    }
}

@Suite struct SocksTests {
    @Test func `a handshake leads to its target, whether it comes at once or byte by byte`() {
        let words: [[UInt8]] = [
            [5, 2, 0, 2], [1, 4] + Array("exit".utf8) + [2] + Array("ok".utf8), [5, 1, 0, 3, 3] + Array("a.b".utf8) + [1, 187],
        ]
        for piece in [1, 3, 100] {
            var (socks, buffer, outcomes) = (Socks5(), ByteBuffer(), [Socks5.Outcome]())
            let all = words.flatMap(\.self)
            for start in stride(from: 0, to: all.count, by: piece) {
                buffer.append(all[start..<min(start + piece, all.count)])
                while case let outcome = socks.take(&buffer, isKnown: { $0 == Array("exit".utf8) && $1 == Array("ok".utf8) }),
                    outcome != .wait
                {
                    outcomes.append(outcome)
                    if case .target = outcome { break }
                }
            }
            #expect(outcomes == [.answer([5, 2]), .answer([1, 0]), .target(Target(host: .name("a.b"), port: 443))])
        }
    }

    @Test(
        arguments: [
            ([5, 1, 0], [5, 255]), ([4, 1, 2], [5, 255]), ([5, 1, 2, 1, 1, 120, 1, 121], [1, 1]),
            ([5, 1, 2, 1, 0, 0, 5, 2, 0, 1, 1, 2, 3, 4, 0, 80], Socks5.reply(7)),
            ([5, 1, 2, 1, 0, 0, 5, 1, 0, 4] + [UInt8](repeating: 1, count: 16) + [0, 0], Socks5.reply(1)),
            ([5, 1, 2, 1, 0, 0, 5, 1, 0, 9, 1], Socks5.reply(8)), ([5, 1, 2, 1, 0, 0, 5, 1, 0, 3, 1, 47, 0, 80], Socks5.reply(1)),
            ([5, 1, 2, 1, 0, 0, 5, 1, 0, 1, 1, 2, 3, 4, 0, 0], Socks5.reply(1)),
        ] as [([UInt8], [UInt8])])
    func `what can't be served is refused by its own reply`(sent: [UInt8], last: [UInt8]) {
        var (socks, buffer) = (Socks5(), ByteBuffer())
        buffer.append(sent)
        while true {
            let outcome = socks.take(&buffer, isKnown: { name, _ in name.isEmpty })
            if case .answer = outcome { continue }
            #expect(outcome == .refused(last))
            break
        }
    }
}

@Suite struct DNSMessageTests {
    private static let question: [UInt8] = [7] + Array("example".utf8) + [3] + Array("com".utf8) + [0, 0, 1, 0, 1]

    private func head(_ flags: UInt16, answers: UInt8, authorities: UInt8 = 0) -> [UInt8] {
        [0, 7, UInt8(flags >> 8), UInt8(flags & 255), 0, 1, 0, answers, 0, authorities, 0, 0] + Self.question
    }

    private func record(_ owner: [UInt8], _ type: UInt8, seconds: UInt8, _ data: [UInt8]) -> [UInt8] {
        owner + [0, type, 0, 1, 0, 0, 0, seconds, 0, UInt8(data.count)] + data
    }

    @Test func `addresses are found over other names, and kept for the shortest time`() throws {
        let alias: [UInt8] = [1, 120, 0xC0, 12]
        let message =
            head(0x8180, answers: 3) + record([0xC0, 12], 5, seconds: 9, alias) + record(alias, 1, seconds: 30, [192, 0, 2, 1])
            + record([1, 121, 0], 1, seconds: 1, [192, 0, 2, 9])
        let reply = try #require(DNSMessage.reply(message, to: "example.com", id: 7))
        #expect(reply.addresses == [.v4(try #require(IPv4("192.0.2.1")))] && reply.seconds == 9)
    }

    @Test func `a denial is kept as long as its zone says`() throws {
        let soa: [UInt8] = [0, 0] + [UInt8](repeating: 0, count: 16) + [0, 0, 0, 20]
        let message = head(0x8183, answers: 0, authorities: 1) + record([0xC0, 20], 6, seconds: 60, soa)
        #expect(DNSMessage.reply(message, to: "example.com", id: 7) == DNSMessage.Reply(seconds: 20, isDenial: true))
    }

    @Test func `an IPv6 address is an answer to its own question alone, over other names too`() throws {
        let six = [UInt8](Self.question.dropLast(3)) + [28, 0, 1]
        let alias: [UInt8] = [1, 120, 0xC0, 12]
        let records = record([0xC0, 12], 5, seconds: 60, alias) + record(alias, 28, seconds: 30, [UInt8](repeating: 2, count: 16))
        let message = [0, 7, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0] + six + records
        let reply = try #require(DNSMessage.reply(message, to: "example.com", .aaaa, id: 7))
        #expect(reply.addresses == [.v6(IPv6(high: 0x0202_0202_0202_0202, low: 0x0202_0202_0202_0202))] && !reply.isDenial)
        #expect(DNSMessage.reply(message, to: "example.com", id: 7) == nil)
        let denial = DNSMessage.reply(head(0x8180, answers: 0), to: "example.com", id: 7)
        #expect(denial?.isDenial == true && denial?.nameExists == true)
    }

    @Test func `an answer to another question, or of a resolver that failed, is none`() {
        let good = head(0x8180, answers: 1) + record([0xC0, 12], 1, seconds: 30, [192, 0, 2, 1])
        #expect(DNSMessage.reply(good, to: "example.com", id: 7) != nil)
        #expect(DNSMessage.reply(good, to: "example.com", id: 8) == nil)
        #expect(DNSMessage.reply(good, to: "example.org", id: 7) == nil)
        #expect(DNSMessage.reply(head(0x8182, answers: 0), to: "example.com", id: 7) == nil)
        #expect(DNSMessage.reply(head(0x0100, answers: 0), to: "example.com", id: 7) == nil)
        #expect(DNSMessage.reply(head(0x8380, answers: 0), to: "example.com", id: 7)?.isTruncated == true)
        for size in 0..<good.count { #expect(DNSMessage.reply(Array(good.prefix(size)), to: "example.com", id: 7) == nil) }
    }

    @Test func `a name that points to itself or onward is refused`() {
        for pointer in [[0xC0, 12], [0xC0, 29], [0xC0, 30], [0xFF, 0xFF]] as [[UInt8]] {
            let message = head(0x8180, answers: 1) + record([1, 120] + pointer, 5, seconds: 9, pointer)
            _ = DNSMessage.reply(message, to: "example.com", id: 7)
        }
        let loop = head(0x8180, answers: 1) + record([0xC0, 29], 1, seconds: 9, [1, 2, 3, 4])
        #expect(DNSMessage.reply(loop, to: "example.com", id: 7) == nil)
    }

    /// Random bytes, and good messages with changed ones, are read to their end or refused; seeded.
    @Test func `no message stops the reader`() {
        var random = Seeded(state: 20_261_130)
        let good =
            head(0x8180, answers: 2) + record([0xC0, 12], 5, seconds: 9, [1, 120, 0xC0, 12])
            + record([0xC0, 12], 1, seconds: 30, [192, 0, 2, 1])
        for _ in 0..<20_000 {
            var message = good
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                message[Int.random(in: 2..<message.count, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
            }
            _ = DNSMessage.reply(Array(message.prefix(Int.random(in: 0...message.count, using: &random))), to: "example.com", id: 7)
        }
    }
}

struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ state >> 29
    }
}

@Suite struct SettingsTests {
    @Test func `all keys are read`() throws {
        let text =
            "LISTEN=192.0.2.1\nPORT=3128\nRESOLVERS=10.0.0.1,10.0.0.2\nSECRETS=aa,bb\nGATEWAYS=172.31.240.0/24\nREFUSED=10.0.0.0/8\nCLOSED_PORTS=25\nUSER=65532\n"
        let read = try SettingsText(text)
        #expect(
            read.user == 65_532 && read.settings.resolvers.count == 2 && !read.settings.allows(port: 25) && read.settings.allows(port: 26))
        let (inside, outside) = (try #require(IPv4("10.9.9.9")), try #require(IPv4("11.0.0.0")))
        #expect(!read.settings.allows(.v4(inside)) && read.settings.allows(.v4(outside)) && !read.settings.hasIPv6)
        #expect(
            read.settings.knows("exit".utf8, "bb".utf8) && !read.settings.knows("exit".utf8, "ab".utf8)
                && !read.settings.knows("exit".utf8, "".utf8))
    }

    @Test(arguments: [
        "LISTEN=x", "PORT=0x1", "SECRET", "REFUSED=10.0.0.1/8", "REFUSED=2001:db8::1/32", "IPV6=yes", "GATEWAYS=1.2.3.4/33",
        "WORD=secret-value",
    ])
    func `a fault says its line, and no value`(line: String) {
        let fault = #expect(throws: SettingsText.Fault.self) { try SettingsText("PORT=1\n\(line)\n") }
        #expect(fault?.description.hasPrefix("line 2: ") == true && fault?.description.contains("secret-value") == false)
    }

    @Test(arguments: [("ZXhpdDpvaw==", "exit:ok"), ("ZXhpdDpvaw", "exit:ok"), ("_-8", "\u{FFFD}\u{FFFD}"), ("", "")])
    func `Base64 is read with and without padding`(text: String, decoded: String) {
        #expect(Base64.decode(text.utf8).map { String(decoding: $0, as: UTF8.self) } == decoded)
        #expect(Base64.decode("a b".utf8) == nil)
    }
}
