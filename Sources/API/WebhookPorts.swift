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
