import Glibc
import HAProxyControl
import Model
import Planning
import Platform
import Synchronization
import TestSupport
import Testing

/// One reading of a target for everybody: what leaves a real HAProxy, and what the exit's own parser behind it makes of that.
@Suite(.timeLimit(.minutes(2))) struct HAProxyRewriteTests {
    typealias Subject = GatewaySubject

    /// Keeps the first line and the Host of what reaches it.
    private final class Recorder: Sendable {
        private let heads = Mutex<[String]>([])

        func note(_ head: String) { heads.withLock { $0.append(head) } }
        func take() -> [String] {
            heads.withLock { heads in
                defer { heads = [] }
                return heads
            }
        }

        func server() throws -> ScriptedServer {
            try ScriptedServer { [self] connection in
                while let head = connection.head() {
                    note(head)
                    guard !head.hasPrefix("PREPARE ") else { return _ = connection.write("HTTP/1.1 200 4711\r\n\r\n") }
                    guard !head.hasPrefix("CONNECT ") else { return _ = connection.write("HTTP/1.1 200 Established\r\n\r\n") }
                    connection.answer(200, "seen")
                }
            }
        }
    }

    /// A gateway whose only exit is a recorder.
    private struct Stand {
        let subject: Subject
        let recorder = Recorder()

        /// The status and reason, and "host port" as they arrived: in the line from HAProxy, in its Host, and as the exit reads both.
        func ask(_ line: [UInt8], headers: String) async throws -> (answer: String, seen: [String]) {
            let answer = try await send(line, headers: headers)
            return (answer, recorder.take().flatMap { head in [Self.place(head), Self.host(head), Self.reading(head)] })
        }

        private func send(_ line: [UInt8], headers: String) async throws -> String {
            let credentials = Base64.encode(Array("alice-country-us:\(Subject.password)".utf8))
            let raw = try Raw(port: subject.settings.gatewayPort)
            return try await Blocking.run {
                raw.send(line + Array("\r\n\(headers)Proxy-Authorization: Basic \(credentials)\r\n\r\n".utf8))
                let head = String(decoding: raw.receive() ?? [], as: UTF8.self)
                let reason = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("x-sallyport-reason: ") }
                return
                    (["\(head.split(separator: " ").dropFirst().first ?? "")"]
                    + [reason?.split(separator: " ").last.map(String.init)].compactMap(\.self))
                    .joined(separator: " ")
            }
        }

        private static func place(_ head: String) -> String {
            let words = head.split(separator: " ")
            guard words.count > 2 else { return "?" }
            guard !isOfTunnel(head) else { return divided(words[1], 443) }
            return divided(words[1].dropFirst("http://".count).prefix { $0 != "/" }, 80)
        }

        private static func host(_ head: String) -> String {
            let hosts = head.split(separator: "\r\n").filter { $0.lowercased().hasPrefix("host: ") }
            // The question that comes before a tunnel has none: an exit of the version before would pass it on to that host.
            if head.hasPrefix("PREPARE "), hosts.isEmpty { return place(head) }
            guard hosts.count == 1, !head.hasPrefix("PREPARE ") else { return "\(hosts.count) hosts" }
            return divided(hosts[0].dropFirst(6), isOfTunnel(head) ? 443 : 80)
        }

        private static func isOfTunnel(_ head: String) -> Bool { head.hasPrefix("CONNECT ") || head.hasPrefix("PREPARE ") }

        private static func reading(_ head: String) -> String { ExitProxyReading.place(head) ?? "refused" }

        private static func divided(_ authority: Substring, _ standard: Int) -> String {
            let isBare = authority.hasSuffix("]") || !authority.contains(":")
            let mark = isBare ? authority.endIndex : authority.lastIndex(of: ":") ?? authority.endIndex
            let port = isBare ? "\(standard)" : String(authority[mark...].dropFirst())
            return "\(authority[..<mark].filter { $0 != "[" && $0 != "]" }) \(port)"
        }
    }

    private func with(_ body: (Stand) async throws -> Void) async throws {
        try await Subject.with { subject in
            let stand = Stand(subject: subject)
            let exit = try stand.recorder.server()
            let pool = Subject.pool(us, [Subject.slot(1, exit)])
            try await subject.gateway.publish(GatewayLayout(pools: [pool], users: [Subject.user("alice")]))
            try await body(stand)
        }
    }

    /// What arrives where a request goes on to that host and port; else the answer.
    private static let table: [(line: String, host: String?, wanted: String)] = [
        // Three parsers once ended this authority at three places.
        ("GET http://public.test?x@target.test:25/ HTTP/1.1", "target.test:25", "public.test 80"),
        ("GET http://public.test?x@target.test:8080/ HTTP/1.1", "public.test", "public.test 80"),
        ("GET http://public.test?q=1 HTTP/1.1", "public.test", "public.test 80"),
        ("GET http://public.test HTTP/1.1", nil, "public.test 80"),
        ("GET http://public.test/ HTTP/1.0", nil, "public.test 80"),
        ("GET http://public.test:/x HTTP/1.1", "public.test", "public.test 80"),
        ("GET http://PUBLIC.test.:8080?q HTTP/1.1", "other.test", "public.test 8080"),
        ("GET HTTP://public.test/@target.test:25/ HTTP/1.1", "target.test:25", "public.test 80"),
        ("GET http://public.test//target.test:25/ HTTP/1.1", "public.test", "public.test 80"),
        ("GET http://[2606:4700:0:0::1]:8080/ HTTP/1.1", "x", "502 address_not_supported"),
        ("GET http://[2606:4700::0001] HTTP/1.1", nil, "502 address_not_supported"),
        ("CONNECT Public.test.:443 HTTP/1.1", "target.test:25", "public.test 443"),
        ("CONNECT public.test:8443 HTTP/1.0", nil, "public.test 8443"),
        ("CONNECT [2606:4700::1]:443 HTTP/1.1", nil, "502 address_not_supported"),
        ("GET http://user@public.test/ HTTP/1.1", "public.test", "400 userinfo_not_allowed"),
        ("GET http://public.test:80@target.test:25/ HTTP/1.1", "target.test:25", "400 userinfo_not_allowed"),
        ("GET http://a@b@public.test/ HTTP/1.1", "public.test", "400 userinfo_not_allowed"),
        ("CONNECT public.test@target.test:443 HTTP/1.1", nil, "400 userinfo_not_allowed"),
        ("GET http://public.test\\@target.test:25/ HTTP/1.1", "target.test:25", "400 userinfo_not_allowed"),
        ("GET http://public.test#@target.test:25/ HTTP/1.1", "target.test:25", "400 bad_target"),
        ("GET http://public.test/#x HTTP/1.1", "public.test", "400 bad_target"),
        ("GET http://public.test;x/ HTTP/1.1", "public.test", "400 bad_target"),
        ("GET http://public%2etest/ HTTP/1.1", nil, "400 bad_target"),
        ("GET http://public.test\\x/ HTTP/1.1", nil, "400 bad_target"), ("GET http:///x HTTP/1.1", "public.test", "400 bad_target"),
        ("GET http://?x HTTP/1.1", "public.test", "400 bad_target"), ("GET http://[fe80::1%25eth0]/ HTTP/1.1", nil, "400 bad_target"),
        ("GET http://[::g]/ HTTP/1.1", nil, "400 not_a_proxy_request"), ("GET http://[1.2.3.4]/ HTTP/1.1", nil, "400 bad_target"),
        ("GET http://b\u{FC}cher.test/ HTTP/1.1", nil, "400 bad_target"), ("GET http://public.test/\u{FC} HTTP/1.1", nil, "400 bad_target"),
        ("CONNECT public.test:443/ HTTP/1.1", nil, "400 not_a_proxy_request"),
        ("CONNECT public.test:443?x HTTP/1.1", nil, "400 bad_target"),
        ("CONNECT http://public.test:443 HTTP/1.1", nil, "400 not_a_proxy_request"),
        ("CONNECT public.test: HTTP/1.1", nil, "400 not_a_proxy_request"),
        ("GET https://public.test/ HTTP/1.1", "public.test", "400 https_needs_connect"),
        ("GET ws://public.test/ HTTP/1.1", "public.test", "400 websocket_needs_connect"),
        ("GET http://public.test:25/ HTTP/1.1", "public.test", "403 port_not_allowed"),
        ("GET http://tinyproxy.stats/ HTTP/1.1", "public.test", "403 target_not_allowed"),
        ("GET http://TinyProxy.Stats.?x HTTP/1.1", "public.test", "403 target_not_allowed"),
        ("GET http://198.51.100.7?@public.test/ HTTP/1.1", "public.test", "403 target_not_allowed"),
        ("GET http://public.test/ HTTP/2.0", "public.test", "400 not_a_proxy_request"),
    ]

    @Test func `what leaves for an exit names the host and port that were checked, and its parser reads the same`() async throws {
        try await with { stand in
            for row in Self.table {
                let host = row.host.map { "Host: \($0)\r\n" } ?? ""
                let (answer, seen) = try await stand.ask(Array(row.line.utf8), headers: host)
                if row.wanted.first?.isNumber ?? false {
                    #expect(answer == row.wanted && seen == [], "\(row.line): \(answer) \(seen)")
                } else {
                    #expect(answer == "200" && seen == Self.arriving(row.wanted), "\(row.line): \(answer) \(seen)")
                }
            }
            for headers in ["Transfer-Encoding : chunked\r\n", "A b: c\r\n", "\u{FC}: c\r\n"] {
                let line = Array("GET http://public.test/ HTTP/1.1".utf8)
                #expect(try await stand.ask(line, headers: "Host: public.test\r\n" + headers) == ("400 bad_header", []), "\(headers)")
            }
            let two = try await stand.ask(Array("GET http://public.test/ HTTP/1.1".utf8), headers: "Host: public.test\r\nHost: b.test\r\n")
            #expect(two == ("400", []), "HAProxy refuses it before any rule")
        }
    }

    /// A tunnel's target arrives twice: where it is prepared, and in the CONNECT.
    private static func arriving(_ place: String) -> [String] { Array(repeating: place, count: 6) }

    /// What RFC 3986 says of an http URL, or of a CONNECT's authority: the host and port, where they are plain.
    private static func wanted(_ url: String, isConnect: Bool) -> String? {
        let rest = isConnect ? Substring(url) : url.dropFirst("http://".count)
        let authority = rest.prefix { !"/?#".contains($0) }
        guard !isConnect || authority.count == rest.count else { return nil }
        let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let host = parts.first, parts.count == 2 || !isConnect else { return nil }
        let port = parts.count == 2 ? parts[1] : ""
        guard let number = port.isEmpty ? 80 : Int(port), !(isConnect && port.isEmpty) else { return nil }
        return "\(host.lowercased().hasSuffix(".") ? String(host.lowercased().dropLast()) : host.lowercased()) \(number)"
    }

    @Test func `whatever is let through by a generator of targets goes where its authority says, and nowhere else`() async throws {
        let hosts = ["public.test", "Other.Test.", "target.test", "10.0.0.1", "tinyproxy.stats", "127.1", "", "198.51.100.7"]
        let marks = [
            "?", "/", "@", ":", "\\", "#", ";", "%40", "%2f", "//", "?x@", ":25@", ".", "&", "|", "[", "]", "^", "\u{FC}", "'", "\"",
        ]
        let ports = ["", ":", ":80", ":25", ":8080", ":443", ":080", ":65536", ":+80", ":-1", ":80:25"]
        var random = SplitMix64(state: 15)
        var letThrough = 0
        try await with { stand in
            for _ in 0..<600 {
                var text = hosts.randomElement(using: &random) ?? ""
                for _ in 0..<max(0, Int.random(in: -1...2, using: &random)) {
                    text += ports.randomElement(using: &random) ?? ""
                    text += marks.randomElement(using: &random) ?? ""
                    text += hosts.randomElement(using: &random) ?? ""
                }
                text += ports.randomElement(using: &random) ?? ""
                text += ["", "/", "?q", "/a?b"].randomElement(using: &random) ?? ""
                let isConnect = Int.random(in: 0..<4, using: &random) == 0
                let url = isConnect ? text : "http://" + text
                let host = [hosts, [text]].randomElement(using: &random)?.randomElement(using: &random) ?? ""
                let line = "\(isConnect ? "CONNECT" : "GET") \(url) HTTP/1.1"
                let (answer, seen) = try await stand.ask(Array(line.utf8), headers: "Host: \(host)\r\n")
                guard answer == "200" else {
                    #expect(seen == [] && answer.hasPrefix("4"), "\(line): \(answer) \(seen)")
                    continue
                }
                letThrough += 1
                let wanted = try #require(Self.wanted(url, isConnect: isConnect), "\(line) was let through to \(seen)")
                #expect(seen == Self.arriving(wanted), "\(line) with Host \(host)")
                #expect(!wanted.hasSuffix(" 25") && !wanted.hasPrefix("1") && !wanted.hasPrefix("tiny"), "\(wanted)")
            }
        }
        #expect(letThrough > 30, "or this shows nothing: \(letThrough)")
    }
}
