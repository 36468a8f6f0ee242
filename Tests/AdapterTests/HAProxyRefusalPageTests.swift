@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
import TestSupport
import Testing

/// Refusals as browsers see them, on a real HAProxy.
@Suite(.timeLimit(.minutes(1))) struct HAProxyRefusalPageTests {
    typealias Subject = GatewaySubject
    private static let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

    private static func ask(_ subject: Subject, user: String? = "alice-country-us", url: String = "http://target.test/", accept: String)
        async throws -> HTTPResponse
    {
        var request = subject.request(user)
        request.url = url
        request.headers.append(("Accept", accept))
        return try await subject.client.send(request)
    }

    @Test func `a browser gets a page with reason and remedy, and a program the bare word, with the same status and headers`() async throws
    {
        let exit = try ScriptedServer { connection in
            while let head = connection.head() {
                let reason = TargetReason.all.first { head.contains("//\($0.word.replacing("_", with: "-")).test") }
                let (status, words) = reason.map { ($0.status, $0.word) } ?? (500, "none")
                guard connection.answer(status, "<b>of the exit</b>", headers: "X-Sallyport-Reason: \(words)") else { return }
            }
        }
        try await Subject.with { subject in
            var limited = Subject.user("alice")
            limited.countries = [us, de]
            let layout = GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, exit)]), Subject.pool(de)], users: [limited])
            try await subject.gateway.publish(layout)
            let ofTargets = TargetReason.all.map { reason in
                ("alice-country-us", "http://\(reason.word.replacing("_", with: "-")).test/", reason.status, reason.word)
            }
            let cases: [(user: String?, url: String, status: Int, reason: String)] =
                [
                    (nil, "http://target.test/", 407, "authentication_required"),
                    ("bob", "http://target.test/", 407, "authentication_failed"),
                    ("alice-country-zz", "http://target.test/", 400, "country_unknown"),
                    ("alice-country-fr", "http://target.test/", 403, "country_not_allowed"),
                    ("alice-country-de", "http://target.test/", 503, "no_exit"),
                    ("alice-country-us", "http://10.0.0.1/", 403, "target_not_allowed"),
                ] + ofTargets
            for (user, url, status, reason) in cases {
                let page = try await Self.ask(subject, user: user, url: url, accept: Self.accept)
                #expect(page.status == status && page.headers["x-sallyport-reason"] == reason, "\(page)")
                #expect(page.headers["content-type"] == "text/html; charset=utf-8" && page.headers["cache-control"] == "no-store")
                #expect(page.text.hasPrefix("<!doctype html>") && page.text.contains("<code>\(reason)</code>, status \(status)"))
                let word = try await Self.ask(subject, user: user, url: url, accept: "*/*")
                #expect(word.status == status && word.text == "\(reason)\n" && word.headers["x-sallyport-reason"] == reason, "\(word)")
                for header in ["proxy-authenticate", "retry-after"] {
                    #expect(page.headers[header] == word.headers[header], "\(reason): \(header)")
                }
            }
        }
    }

    /// What a person can do nothing about has no page: requests that no browser sends.
    @Test func `every reason that a browser can meet has a page`() throws {
        let withoutPage: Set = [
            "bad_header", "not_a_proxy_request", "bad_target", "userinfo_not_allowed", "https_needs_connect", "websocket_needs_connect",
            "upgrade_needs_connect", "method_not_allowed",
        ]
        let table = try Files.read("\(Repository.root)/haproxy/README.md").split(separator: "## Refusals")[1].split(separator: "\n\n")[1]
        let rows = table.split(separator: "\n").filter { $0.hasPrefix("| 4") || $0.hasPrefix("| 5") }
        let pages = try Files.read("\(Repository.root)/haproxy/lua/refusals.lua")
        var count = 0
        for row in rows {
            let cells = row.split(separator: "|").map { $0.drop { $0 == " " } }.map { $0.reversed().drop { $0 == " " }.reversed() }.map {
                String($0)
            }
            for reason in cells[1].matches(of: /`([a-z_]+)`(?=,|:| \(|$)/).map({ String($0.1) }) where !withoutPage.contains(reason) {
                count += 1
                #expect(pages.contains("  \(reason) = page(\(cells[0]), "), "\(reason)")
            }
        }
        #expect(count >= 25)
    }
}
