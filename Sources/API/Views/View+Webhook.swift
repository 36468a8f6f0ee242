import Model
import OpenAPI

/// A webhook as the API shows it: without its secret, but for the answer that made it.
struct ShownWebhook: Sendable {
    let hook: Webhook
    let state: WebhookState
    var secret: String?

    static let secretExample = "h3Wq9ZtYp2mXc7RvLk4NbJd8FgSa5HeUyT6oQiEwKzM"

    static let view = View<Self>(
        "Webhook",
        .always("id", .text("w3f9ab27c1d2e")) { $0.hook.id },
        .always("url", .text("https://hooks.example.com/sallyport")) { $0.hook.url },
        .always("kinds", .list(.choice(EventKind.self)), "only these; empty for all") { $0.hook.kinds },
        .always("countries", .list(.text("US")), "only events of these; empty for all") { $0.hook.countries },
        .always("format", .choice(WebhookFormat.self), "of the requests' bodies") { $0.hook.format ?? .sallyport },
        .always("enabled", .flag) { $0.state.isEnabled },
        .always("created_at", .time) { $0.hook.createdAt },
        .always("cursor", .text("1795222923456-0"), "the last finished event, or the position right before the first kept one") {
            $0.state.cursor
        },
        .always("failures", .whole(0), "failed attempts in a row") { $0.state.failures },
        .maybe("failing_since", .time) { $0.state.failingSince },
        .maybe("retry_at", .time) { $0.state.retryAt },
        .maybe("last_error", .text("it answered with status 500")) { $0.state.lastError },
        .maybe("delivered_at", .time) { $0.state.deliveredAt },
        .maybe("disabled_at", .time, "when it was disabled because it had failed for too long, or answered with 410") {
            $0.state.disabledAt
        },
        .always("dead_letters", .whole(0), "events that were given up after too many refusals") { $0.state.deadLetters ?? 0 },
        .maybe("last_dead_letter", .text("1795222923400-0"), "the latest of these; a replay from before it sends it again") {
            $0.state.lastDeadLetter
        },
        .maybe("secret", .text(secretExample), "signs the requests; only in the answer that made it") { $0.secret },
        showing: [
            "enabled": .bool(true), "kinds": .array([.string("exit.serving")]), "countries": .array([]), "failing_since": nil,
            "retry_at": nil, "last_error": nil, "disabled_at": nil, "last_dead_letter": nil,
            "secret": nil,
        ])

    static let delivery = View<WebhookDelivery>(
        "WebhookDelivery",
        .always("at", .time) { $0.at },
        .always("event", .text("1795222923456-0"), "the event's id; `test`; or `gap-` and the id of the next event") { $0.event },
        .always("kind", .text("exit.serving")) { $0.kind },
        .always("attempt", .whole(1)) { $0.attempt },
        .always("delivered", .flag) { $0.isDelivered },
        .maybe("status", .whole(100...999, 200), "of the receiver's answer") { $0.status },
        .maybe("error", .text("Timeout was reached")) { $0.error },
        .always("duration_ms", .number(0...1e9, 12.5)) { $0.milliseconds },
        showing: ["delivered": .bool(true), "error": nil])
}
