import HTTPServing
import HTTPTransport
import Model
import Platform
import Synchronization
import TestSupport
import Testing

/// Requests that no well-meaning client sends.
@Suite(.timeLimit(.minutes(2))) struct HostileTests {
    private static let next = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    private static let host = "HTTP/1.1\r\nHost: x\r\n"

    /// Whatever comes after these on the same connection could be part of them, so it is closed, and nothing of it is read.
    @Test(
        arguments: [
            "POST / \(host)Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / \(host)Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            "POST / \(host)Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
            "POST / \(host)Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
            "POST / \(host)Content-Length: 5, 5\r\n\r\nabcde", "POST / \(host)Content-Length: -1\r\n\r\n",
            "POST / \(host)Content-Length: +5\r\n\r\nabcde", "POST / \(host)Content-Length: 0x5\r\n\r\nabcde",
            "POST / \(host)Content-Length: 99999999999999999999\r\n\r\n", "POST / \(host)Content-Length : 5\r\n\r\nabcde",
            "POST / \(host)Content-Length\t: 5\r\n\r\nabcde",
            "POST / \(host)Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            "POST / \(host)Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
            "POST / \(host)Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            "POST / \(host)Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / \(host)Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "POST / \(host)Transfer-Encoding:\u{0B}chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / \(host)Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
            "POST / \(host)Transfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n0\r\n\r\n",
            "POST / \(host)Transfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n",
            "POST / \(host)Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabcde\r\n0\r\n\r\n",
            "POST / \(host)Transfer-Encoding: chunked\r\n\r\n5\r\nabcdeX\r\n0\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n", "GET / \(host)Host: y\r\n\r\n", "GET / \(host)X\0A: b\r\n\r\n",
            "GET / \(host)X-API-Key: a\r\nX-API-Key: b\r\n\r\n", "GET / \(host)no colon\r\n\r\n", "GET / \(host)X(A): b\r\n\r\n",
            "GET / HTTP/9.9\r\nHost: x\r\n\r\n", "GET /\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "GET / \(host)X-A: \(String(repeating: "a", count: 70_000))\r\n\r\n",
            "GET /\(String(repeating: "a", count: 70_000)) \(host)\r\n",
        ])
    func `what two servers could read in two ways is refused, and its connection closed`(text: String) async throws {
        let seen = Counter()
        try await withServer { request in
            seen.add(1)
            return echo(request)
        } _: { client, url, server in
            let raw = try Raw(port: server.port)
            raw.send(text + Self.next)
            let answer = try #require(try await raw.receiveAll(), "the connection stays open")
            // A client that is cut off while it still sends may lose the answer to a reset.
            if answer.isEmpty {
                #expect(text.utf8.count > 60_000)
            } else {
                #expect(answer.hasPrefix("HTTP/1.1 4") || answer.hasPrefix("HTTP/1.1 505"))
            }
            #expect(!answer.contains("smuggled") && seen.value == 0, "\(answer)")
            #expect(try await client.send(HTTPRequest("GET", "\(url)/good")).status == 200)
        }
    }

    /// libmicrohttpd 0.9.75 ends a value and a target at a NUL, and seems to know nothing of what follows.
    @Test(
        arguments: [
            "GET /a\0/b \(host)\r\n", "GET /a\0 \(host)\r\n", "GET /a?x=1\0&y=2 \(host)\r\n", "GET / \(host)X-Kind: odd\0, even\r\n\r\n",
            "GET / \(host)X-Kind: odd\0\r\n\r\n", "GET / \(host)X-Kind: odd\0\0even\r\n\r\n",
            "GET / \(host)X-Kind: odd\0\0\0\r\nX-B: c\r\n\r\n",
            "GET / \(host)X-Kind: odd\0even\r\nX-B: c\r\n\r\n", "GET / \(host)X-Kind:\0odd\r\nX-B: c\r\n\r\n",
            "GET / \(host)X-Kind: \0\r\n\r\n",
            "GET / \(host)X-Kind: odd\r\n even\r\n\r\n", "GET / \(host)X-Kind: odd\r\n\teven\r\nX-B: c\r\n\r\n",
            "GET / \(host)X-Kind: odd\0even\n\n", "GET / HTTP/1.1\0x\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\0y\r\nX-Kind: z\r\n\r\n",
        ])
    func `what hides behind a NUL, or in a second line, refuses the request`(text: String) async throws {
        let seen = Counter()
        try await withServer { request in
            seen.add(1)
            return echo(request)
        } _: { _, _, server in
            let raw = try Raw(port: server.port)
            raw.send(text + Self.next)
            let answer = try #require(try await raw.receiveAll())
            #expect(answer.hasPrefix("HTTP/1.1 400") && !answer.contains("smuggled") && seen.value == 0, "\(answer)")
        }
    }

    /// So that the look at what lies between two parts refuses no good one.
    @Test func `heads of all sizes and spacings are read whole`() async throws {
        var generator = SplitMix64(state: 7)
        try await withServer { request in
            .ready(
                ServerResponse(
                    status: 200,
                    body: Array(request.headers.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "|").utf8)))
        } _: { _, _, server in
            let raw = try Raw(port: server.port)
            for turn in 0..<200 {
                var fields = [("host", "x")]
                for number in 0..<Int.random(in: 0...40, using: &generator) {
                    let size = Int.random(in: 0...(number == 7 ? 6000 : 120), using: &generator)
                    fields.append(("x-\(number)", String(repeating: "v", count: size)))
                }
                let lines = fields.map { name, value in
                    let space = [" ", "", "  ", "\t"].randomElement(using: &generator) ?? ""
                    return "\(name):\(space)\(value)" + (Bool.random(using: &generator) ? "\r\n" : "\n")
                }
                let target = turn.isMultiple(of: 3) ? "/a%20b?x=1&y=%26" : "/"
                let text = "GET \(target) HTTP/1.1\r\n" + lines.joined() + "\r\n"
                let wanted = fields.sorted { $0.0 < $1.0 }.map { "\($0.0)=\($0.1)" }.joined(separator: "|")
                let answer = try await Blocking.run {
                    // In two parts, so that the memory for it grows on the way.
                    let bytes = Array(text.utf8)
                    raw.send(Array(bytes[..<(bytes.count / 2)]))
                    raw.send(Array(bytes[(bytes.count / 2)...]))
                    var answer = ""
                    while !answer.hasSuffix(wanted), let more = raw.receive(milliseconds: 2000), !more.isEmpty {
                        answer += String(decoding: more, as: UTF8.self)
                    }
                    return answer
                }
                #expect(answer.hasPrefix("HTTP/1.1 200") && answer.hasSuffix(wanted), "\(text.prefix(300))")
            }
        }
    }

    @Test(
        arguments: [
            "/%", "/%0", "/%zz", "/%00", "/a%00b", "/%c0%af", "/%ff", "/%u0041", "/a?x=%", "/a?%00=1", "/a\u{01}b", "/a b", "ftp://evil/a",
            "http:///a",
            "*",
            "a", "//evil\r\nX: y", "/\u{7F}",
        ])
    func `a target that is none is refused`(target: String) async throws {
        try await withServer(echo) { client, url, server in
            let raw = try Raw(port: server.port)
            raw.send("GET \(target) \(Self.host)Connection: close\r\n\r\n")
            let answer = try #require(try await raw.receiveAll())
            #expect(answer.hasPrefix("HTTP/1.1 400"), "\(answer)")
        }
    }

    @Test func `requests that come all at once are answered one after another, in their order`() async throws {
        try await withServer { request in
            guard request.path == ["wait"] else { return echo(request) }
            return .waiting { ServerResponse(status: 200, body: Array("GET wait".utf8)) }
        } _: { _, _, server in
            let raw = try Raw(port: server.port)
            let paths = (0..<200).map { $0 % 3 == 0 ? "wait" : "n\($0)" }
            raw.send(paths.map { "GET /\($0) \(Self.host)\r\n" }.joined() + "GET /last \(Self.host)Connection: close\r\n\r\n")
            let answer = try #require(try await raw.receiveAll())
            let got = answer.split(separator: "GET ").dropFirst().map { String($0.prefix { $0 != " " && $0 != "H" }) }
            #expect(got == paths + ["last"])
        }
    }

    /// Bytes that come now and then keep libmicrohttpd's own time-out from ever being over.
    @Test(arguments: ["GET /", "GET / \(host)X-Slow: ", "POST / \(host)Content-Length: 5000\r\n\r\n"])
    func `a client that sends byte after byte is cut off after the time for a whole request`(start: String) async throws {
        var limits = HTTPServer.Limits()
        limits.requestSeconds = 1
        try await withServer(limits: limits, echo) { client, url, server in
            let raw = try Raw(port: server.port)
            raw.send(start)
            try await eventually("it is cut off", within: 30) {
                raw.send("a")
                return raw.receive(milliseconds: 50) == nil
            }
            #expect(try await client.send(HTTPRequest("GET", url)).status == 200)
        }
    }

    @Test func `a client that takes its answer too slowly is cut off, and one that waits is not`() async throws {
        var limits = HTTPServer.Limits()
        (limits.requestSeconds, limits.answerSeconds) = (1, 1)
        try await withServer(limits: limits) { request in
            guard request.path == ["large"] else {
                return .waiting {
                    try? await Task.sleep(for: .seconds(3))
                    return ServerResponse(status: 200)
                }
            }
            return .ready(ServerResponse(status: 200, body: [UInt8](repeating: 65, count: 32 << 20)))
        } _: { client, url, server in
            async let waits = client.send(HTTPRequest("GET", "\(url)/waits"))
            let raw = try Raw(port: server.port)
            raw.send("GET /large \(Self.host)\r\n")
            try await eventually("only the one that waits is connected", within: 30) { server.connections == 1 }
            #expect(try await waits.status == 200)
        }
    }

    /// libmicrohttpd reads until nothing is there, and hears of an end that came along with the last bytes only by its time-out.
    @Test(arguments: ["", "GET /", "GET / \(host)\r\n", "POST / \(host)Content-Length: 50\r\n\r\nabc"])
    func `half of a connection is held no longer than an idle one`(start: String) async throws {
        var limits = HTTPServer.Limits()
        limits.idleSeconds = 1
        try await withServer(limits: limits, echo) { client, url, server in
            let raw = try Raw(port: server.port)
            if !start.isEmpty { raw.send(start) }
            raw.endSending()
            #expect(try await raw.receiveAll() != nil)
            try await eventually("it is gone", within: 30) { server.connections == 0 }
            #expect(try await client.send(HTTPRequest("GET", url)).status == 200)
        }
    }

    @Test func `one address can't have more connections than its share`() async throws {
        var limits = HTTPServer.Limits()
        limits.connectionsPerAddress = 20
        try await withServer(limits: limits, echo) { _, _, server in
            // In the middle of their requests, for who is idle makes room.
            let all = try (0..<60).map { _ in
                let raw = try Raw(port: server.port)
                raw.send("GET /first \(Self.host)")
                return raw
            }
            try await eventually("those over the limit are closed") { all.count { $0.receive(milliseconds: 0) == nil } == 40 }
            // A client may see its end before the server has counted it.
            try await eventually("the others are counted") { server.connections == 20 }
            let first = try #require(all.first { $0.receive(milliseconds: 0) != nil })
            first.send("\r\n")
            #expect(String(decoding: first.receive() ?? [], as: UTF8.self).contains("GET first"))
        }
    }

    @Test func `a thousand idle connections are held, and others are answered meanwhile`() async throws {
        var limits = HTTPServer.Limits()
        (limits.connections, limits.idleSeconds) = (1_100, 120)
        try await withServer(limits: limits, echo) { client, url, server in
            let all = try await Blocking.run { try (0..<1_000).map { _ in try Raw(port: server.port) } }
            try await eventually("all are there", within: 60) { server.connections >= 1_000 }
            #expect(try await client.send(HTTPRequest("GET", url)).status == 200)
            let last = try await all[999].ask("/last")
            #expect(last.contains("GET last"))
        }
    }
}
