@testable import API
import HTTPServing
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

/// Good requests, spoilt: the whole API behind the real server must outlive them.
@Suite(.timeLimit(.minutes(5))) struct MutationTests {
    /// xorshift64*: the same requests in each run.
    private struct Numbers: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state ^= state >> 12
            state ^= state << 25
            state ^= state >> 27
            return state &* 0x2545_F491_4F6C_DD1D
        }
    }

    private static let fragments: [[UInt8]] = [
        "\r\n", "\r\n\r\n", "\0", "%00", "%", "%2F", "..", ": ", " ", "\t", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n",
        "0\r\n\r\n",
        "ffffffff\r\n", "-1", "99999999999999999999", "\u{FF}", "HTTP/1.0", "HTTP/2.0", "*", "?", "&&=", "Expect: 100-continue\r\n", "{",
        "[[[[",
        "\"\\ud800\"", "GET ", "Upgrade: h2c\r\n", "Host: y\r\n", "Range: bytes=0-\r\n",
    ].map { Array($0.utf8) }

    private static func spoilt(_ request: [UInt8], _ numbers: inout Numbers) -> [UInt8] {
        var bytes = request
        for _ in 0..<Int.random(in: 1...4, using: &numbers) {
            let place = Int.random(in: 0...bytes.count, using: &numbers)
            let end = min(bytes.count, place + Int.random(in: 0...20, using: &numbers))
            switch Int.random(in: 0..<6, using: &numbers) {
            case 0 where place < bytes.count: bytes[place] = UInt8.random(in: 0...255, using: &numbers)
            case 1: bytes.removeSubrange(place..<end)
            case 2: bytes.insert(contentsOf: bytes[place..<end], at: place)
            case 3: bytes.insert(contentsOf: fragments.randomElement(using: &numbers) ?? [], at: place)
            case 4: bytes.removeSubrange(place...)
            default:
                bytes.insert(contentsOf: [UInt8](repeating: bytes.first ?? 0, count: Int.random(in: 0...5000, using: &numbers)), at: place)
            }
        }
        return bytes
    }

    private static func spoil(_ calls: [[UInt8]], seed: UInt64, port: Int) async throws {
        try await Blocking.run {
            var numbers = Numbers(state: seed)
            for number in 0..<5_000 {
                let request = spoilt(calls[number % calls.count], &numbers)
                let raw = try Raw(port: port)
                raw.send(request)
                // As long as an answer usually takes; many wait for the rest of the request.
                _ = raw.receive(milliseconds: 1)
            }
        }
    }

    @Test func `ten thousand spoilt requests neither end it nor hold it up nor fill its memory`() async throws {
        // In a process of its own, where the memory is not that of other tests.
        await #expect(processExitsWith: .success) { try await Self.spoilAll() }
    }

    private static func spoilAll() async throws {
        let subject = try Subject(.direct)
        var limits = HTTPServer.Limits()
        limits.idleSeconds = 2
        let server = try HTTPServer(address: "127.0.0.1", port: 0, limits: limits, dispatch: subject.api.dispatcher())
        let (client, url) = (HTTPClient(), "http://127.0.0.1:\(server.port)")
        let running = Task { await subject.api.run() }
        let good = Task {
            var answered = 0
            while !Task.isCancelled {
                let answer = try await client.send(HTTPRequest("GET", "\(url)/health/live"))
                #expect(answer.status == 200)
                answered += 1
                // Leaves the machine to the other tests.
                try await Task.sleep(for: .milliseconds(10))
            }
            return answered
        }
        let key = Subject.keys[.admin] ?? ""
        let calls = RouteCase.all.map { call -> [UInt8] in
            let body = call.body ?? ""
            let head = "\(call.method) \(call.target) HTTP/1.1\r\nHost: localhost\r\nX-API-Key: \(key)\r\n"
            let framing =
                call.route.pattern.utf8.count % 2 == 0 || body.isEmpty
                ? "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
                : "Transfer-Encoding: chunked\r\n\r\n\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
            return Array((head + "Content-Type: application/json\r\n" + framing).utf8)
        }
        // What it keeps by design (metrics, audit, limits) has its size after the first half.
        try await spoil(calls, seed: 20_261_125, port: server.port)
        let middle = Resident.kilobytes()
        try await spoil(calls, seed: 25_112_026, port: server.port)
        try await eventually("every connection of theirs is gone", within: 60) { server.connections <= 1 }
        let grown = Resident.kilobytes() - middle
        // What was sent is several times as much.
        #expect(grown < 32 << 10, "\(grown) KB more after the second half")
        let answer = try await client.send(HTTPRequest("GET", "\(url)/api/exits", headers: [("X-API-Key", key)]))
        #expect(answer.status == 200)
        good.cancel()
        let answered = try? await good.value
        #expect((answered ?? 1) > 0)
        client.close()
        await server.stop()
        running.cancel()
    }
}
