@testable import EngineGuard
import Platform
import TestSupport
import Testing

/// Heads that two readers could take for two requests.
@Suite(.serialized, .timeLimit(.minutes(1))) struct HeadTests {
    private static let start = "POST /v1.41/containers/sallyport-us-1-g3/start HTTP/1.1\r\nHost: x\r\n"
    private static let second = "GET /v1.41/info HTTP/1.1\r\nHost: x\r\n\r\n"

    @Test(arguments: [
        start + "Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello", start + "Content-Length: 0, 5\r\n\r\nhello",
        start + "Content-Length: +0\r\n\r\n", start + "Content-Length: -1\r\n\r\n",
        start + "Content-Length: 0x0\r\n\r\n", start + "Content-Length:\r\n\r\n", start + "Content-Length: 99999999999999999999\r\n\r\n",
        start + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        start + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", start + "transfer-encoding: identity\r\n\r\n",
        start + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        start + "Transfer-Encoding:\u{0B}chunked\r\n\r\n", start + "Trailer: x\r\n\r\n", start + "Content-Length: 0\r\n\r\n" + second,
        start + "\r\n" + second, start + "Content-Length: 5\r\n\r\nhello",
        start + "Upgrade: tcp\r\nConnection: Upgrade\r\n\r\n", start + "Upgrade: h2c\r\n\r\n",
        start + "Connection: keep-alive, Upgrade\r\n\r\n", start + "Connection: content-length\r\n\r\n",
        start + "HTTP2-Settings: x\r\n\r\n", start + "Content-Encoding: gzip\r\n\r\n", start + "Expect: 200-ok\r\n\r\n",
        start + "Host: y\r\n\r\n", start + "hOST: y\r\n\r\n",
        start + "A: b\r\n c\r\n\r\n", start + "A: b\r\n\tContent-Length: 3\r\n\r\n", start + " A: b\r\n\r\n", start + "A : b\r\n\r\n",
        start + ": b\r\n\r\n", start + "A b\r\n\r\n", start + "A: b\nB: c\r\n\r\n",
        start + "A: b\rB: c\r\n\r\n", start + "A: b\0\r\n\r\n", start + "A: \u{E9}\r\n\r\n", start + "A: b\r\r\n\r\n",
        start.replacing("\r\n", with: "\n") + "\n", start + "\n\n",
        start + (0..<40).map { "A\($0): b\r\n" }.joined() + "\r\n", "POST /v1.41/containers/sallyport-us-1-g3/start HTTP/1.1\r\n\r\n",
        start.replacing("HTTP/1.1", with: "HTTP/1.0") + "\r\n", start.replacing("HTTP/1.1", with: "HTTP/2.0") + "\r\n",
        start.replacing(" HTTP/1.1", with: "") + "\r\n",
        start.replacing("HTTP/1.1", with: "http/1.1") + "\r\n", start.replacing("POST ", with: "POST  ") + "\r\n",
        start.replacing("POST ", with: " POST ") + "\r\n", "\r\n" + start + "\r\n",
        start.replacing("POST ", with: "POST\t") + "\r\n", start.replacing("POST", with: "PO(ST") + "\r\n",
        start.replacing("POST", with: "post") + "\r\n", start.replacing("/v1.41", with: "http://engine/v1.41") + "\r\n",
        start.replacing("/start", with: "/start#x") + "\r\n", start.replacing("/start", with: "/start;x") + "\r\n",
        start.replacing("/start", with: "/sta rt") + "\r\n",
        start.replacing("/start", with: "/start%00") + "\r\n", start.replacing("/start", with: "%2fstart") + "\r\n",
        start.replacing("/start", with: "/%73tart") + "\r\n",
        start.replacing("/start", with: "/start?") + "\r\n", start.replacing("/start", with: "\\start") + "\r\n",
        "GET * HTTP/1.1\r\nHost: x\r\n\r\n",
        "CONNECT engine:80 HTTP/1.1\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\u{16}\u{3}\u{1}\r\n\r\n",
        "GET /_ping HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
        "GET /v1.41/containers/json?all=%zz HTTP/1.1\r\nHost: x\r\n\r\n", "GET /v1.41/containers/json?all=%+1 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1.41/containers/json?all=tr+ue HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1.41/containers/json?all=%ff HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1.41/containers/json?%61ll=true HTTP/1.1\r\nHost: x\r\n\r\n", "GET /v1.41/containers/json?all HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1.41/containers/json?all=true;filters= HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1.41/containers/json?all=true&& HTTP/1.1\r\nHost: x\r\n\r\n",
    ])
    func `a request that could be read in two ways is refused`(text: String) async throws {
        try await GuardSubject.with { subject in
            let answer = try await subject.ask(Array(text.utf8))
            #expect([400, 403].contains(answer.status), "\(answer.text)")
            #expect(subject.arrived.isEmpty, "\(subject.arrived.map(\.line))")
        }
    }

    @Test func `a head that is too long, or that never ends, is refused`() async throws {
        let subject = try GuardSubject(requestSeconds: 0.3)
        #expect(try await subject.ask(Array((Self.start + "A: \(String(repeating: "b", count: 9_000))\r\n\r\n").utf8)).status == 431)
        let answer = try await Blocking.run { [socket = subject.socket] in
            let channel = try Channel.connected(to: socket)
            // A byte now and then is no way to stay.
            for byte in Self.start.utf8 {
                try? channel.write([byte])
                if let answer = try? channel.read(by: .now + .milliseconds(20)) { return String(decoding: answer, as: UTF8.self) }
            }
            return ""
        }
        #expect(answer.hasPrefix("HTTP/1.1 408 "), "\(answer)")
        #expect(subject.arrived.isEmpty)
        await subject.stop()
    }
}
