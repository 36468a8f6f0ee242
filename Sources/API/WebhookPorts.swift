package import Model

/// Keeps webhooks, how far each has come, and the latest tries.
package protocol WebhookStore: Sendable {
    func webhooks() async throws -> [KeptWebhook]
    /// False where there are `limit` of them.
    func add(_ hook: Webhook, limit: Int) async throws -> Bool
    func remove(_ id: String) async throws
    /// Replaces state and definition where the state still is the one that was read; nil where it is not.
    func change(_ kept: KeptWebhook, to hook: Webhook, _ state: WebhookState) async throws -> KeptWebhook?
    func deliveries(of id: String, limit: Int) async throws -> [WebhookDelivery]
}

/// Sends to webhooks.
package protocol WebhookSending: Sendable {
    /// What is wrong with a URL; nil where nothing is that can be told at once.
    func problem(with url: String) -> String?
    /// Sends a test now, once.
    func test(_ hook: Webhook) async -> WebhookDelivery
}

/// A webhook as the API shows it: without its secret, but for the answer that made it.
struct WebhookView: Encodable {
    let id: String
    let url: String
    let kinds: [EventKind]
    let countries: [CountryCode]
    let format: WebhookFormat
    let enabled: Bool
    let createdAt: Timestamp
    let cursor: String
    let failures: Int
    let failingSince: Timestamp?
    let retryAt: Timestamp?
    let lastError: String?
    let deliveredAt: Timestamp?
    let disabledAt: Timestamp?
    let deadLetters: Int
    let lastDeadLetter: String?
    var secret: String?

    init(_ hook: Webhook, _ state: WebhookState, secret: String? = nil) {
        id = hook.id
        url = hook.url
        kinds = hook.kinds
        countries = hook.countries
        format = hook.format ?? .sallyport
        createdAt = hook.createdAt
        enabled = state.isEnabled
        cursor = state.cursor
        failures = state.failures
        failingSince = state.failingSince
        retryAt = state.retryAt
        lastError = state.lastError
        deliveredAt = state.deliveredAt
        disabledAt = state.disabledAt
        deadLetters = state.deadLetters ?? 0
        lastDeadLetter = state.lastDeadLetter
        self.secret = secret
    }
}

struct WebhookDeliveryView: Encodable {
    let at: Timestamp
    let event: String
    let kind: String
    let attempt: Int
    let delivered: Bool
    let status: Int?
    let error: String?
    let durationMs: Double

    init(_ delivery: WebhookDelivery) {
        at = delivery.at
        event = delivery.event
        kind = delivery.kind
        attempt = delivery.attempt
        delivered = delivery.isDelivered
        status = delivery.status
        error = delivery.error
        durationMs = delivery.milliseconds
    }
}
