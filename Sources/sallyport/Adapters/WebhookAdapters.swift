import API
import HTTPTransport
import Model
import RedisStore
import Webhooks

// Webhooks: their table in Redis, and requests by libcurl.

extension WebhookTable: WebhookRecord {
    func update(_ kept: KeptWebhook, to state: WebhookState, delivery: WebhookDelivery?, event: Event?) async throws -> KeptWebhook? {
        try await update(kept, to: state, hook: nil, delivery: delivery, event: event)
    }
}

extension WebhookTable: WebhookStore {
    func webhooks() async throws -> [KeptWebhook] { try await webhooks().hooks }

    func change(_ kept: KeptWebhook, to hook: Webhook, _ state: WebhookState) async throws -> KeptWebhook? {
        try await update(kept, to: state, hook: hook, delivery: nil, event: nil)
    }
}

extension WebhookSender: WebhookSending {
    func problem(with url: String) -> String? { addresses.problem(with: url) }
}

/// Requests to receivers.
struct WebhookClient: WebhookTransport {
    let client: HTTPClient
    /// Authorities that may sign receivers' certificates, instead of the system's.
    var authorityFile: String?

    func post(_ request: WebhookRequest) async throws -> WebhookAnswer {
        var sent = HTTPRequest("POST", request.url, headers: request.headers, body: request.body)
        sent.address = request.address
        sent.authorityFile = authorityFile
        sent.connectDeadline = min(5, request.deadline)
        sent.deadline = request.deadline
        sent.bodyLimit = 1 << 20
        let answer = try await client.send(sent)
        return WebhookAnswer(status: answer.status, body: answer.body)
    }
}
