package import Model

/// The webhooks and the events, wherever they are kept.
package protocol WebhookRecord: Sendable {
    /// Every webhook, and the id of the last event; nil where none has happened.
    func webhooks() async throws -> (hooks: [KeptWebhook], lastEvent: String?)
    /// The piece of the log after an id, and whether something between is lost.
    func page(after id: String, limit: Int) async throws -> EventPage
    /// How many entries there are after an id; `limit` where there are more.
    func count(after id: String, limit: Int) async throws -> Int
    /// Puts a new state in the place of the one that `kept` has, notes the try and tells the event, all or nothing.
    /// - Returns: the new one; nil where the state is another one by now, or gone: nothing was written then.
    func update(_ kept: KeptWebhook, to state: WebhookState, delivery: WebhookDelivery?, event: Event?) async throws -> KeptWebhook?
    func note(_ delivery: WebhookDelivery, of id: String) async throws
}

/// One request to a receiver.
package struct WebhookRequest: Sendable {
    package var url: String
    /// Connect to this address and no other.
    package var address: String
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    /// Seconds for the whole of it.
    package var deadline: Double
}

/// What a receiver has answered.
package struct WebhookAnswer: Sendable {
    package var status: Int
    package var body: [UInt8]
    package init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }
}

/// Sends a request, follows no redirect, and checks certificates.
package protocol WebhookTransport: Sendable {
    func post(_ request: WebhookRequest) async throws -> WebhookAnswer
}
