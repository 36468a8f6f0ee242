import Model
import Planning
import Testing

struct WebhookTests {
    private let start = Timestamp(milliseconds: 1_700_000_000_000)

    @Test(
        arguments: [
            ([], [], true), ([.exitServing], [], true), ([.failover], [], false), ([], ["US"], true), ([], ["DE"], false),
            ([.exitServing, .failover], ["DE", "US"], true),
        ] as [([EventKind], [String], Bool)])
    func `a webhook wants events by kind and country`(kinds: [EventKind], countries: [String], wanted: Bool) throws {
        let hook = Webhook(
            id: "w", url: "", kinds: kinds, countries: countries.compactMap { CountryCode($0) }, secret: "", createdAt: start)
        #expect(hook.wants(Event(at: start, .exitServing, .info, "it serves", country: CountryCode("us"))) == wanted)
        #expect(hook.wants(Event(at: start, .exitServing, .info, "of no country")) == (countries.isEmpty && wanted))
    }

    @Test func `pauses grow, are spread, and end with the webhook's own`() {
        let rules = WebhookRules(backOff: BackOff(first: 1, longest: 60), disableAfter: 600)
        var state = WebhookState(cursor: "1-0")
        var now = start
        var pauses: [Double] = []
        while state.isEnabled, pauses.count < 100 {
            let delivery = WebhookDelivery(at: now, event: "2-0", kind: "exit.serving", attempt: state.failures + 1, error: "status 500")
            state = rules.state(state, after: delivery, salt: UInt64(pauses.count))
            #expect(state.cursor == "1-0" && state.failingSince == start)
            guard let retry = state.retryAt else { break }
            #expect(!rules.isDue(state, last: "9-0", now: now) && rules.isDue(state, last: "9-0", now: retry))
            pauses.append(retry - now)
            now = retry
        }
        for (index, pause) in pauses.enumerated() {
            let middle = min(60, Double(1 << min(index, 10)))
            #expect(pause >= middle * 0.74 && pause <= middle * 1.26)
        }
        #expect(!state.isEnabled && state.disabledAt == now && now - start >= 600 && !rules.isDue(state, last: "9-0", now: now + 1e6))
        state.enable()
        #expect(rules.isDue(state, last: "9-0", now: now) && state.failures == 0 && state.cursor == "1-0")
        state = rules.state(state, after: WebhookDelivery(at: now, event: "2-0", kind: "exit.serving", attempt: 1, status: 204), salt: 1)
        #expect(
            state.cursor == "2-0" && state.deliveredAt == now && state.failingSince == nil && !rules.isDue(state, last: "2-0", now: now))
    }

    @Test(arguments: [
        "https://hooks.example.com", "https://hooks.example.com:8443/a?b=c", "http://127.0.0.1:9/x", "https://[2001:db8::1]:443/",
        "https://1.2.3.4.example/", "https://EXAMPLE.com/@b",
    ]) func `a good URL is read`(url: String) { #expect(WebhookTarget(url) != nil) }

    @Test(arguments: [
        "", "ftp://a.example", "https://", "https://a@b.example", "https://a.example#b", "https://a.example:0", "https://a.example:70000",
        "https://a.example:08", "https://2130706433/", "https://0x7f.1", "https://127.1", "https://127.0.0.01", "https://a..b",
        "https://a.example.",
        "https://a.example\\@b.example", "https://a b", "https://bücher.example", "https://[::1", "https://[fe80::1%25eth0]/",
        "https://-a.example", "HTTPS://a.example", "https://a.example:80:90",
    ]) func `a URL that two readers could take differently is refused`(url: String) { #expect(WebhookTarget(url) == nil) }
}
