@testable import API
import Model
import Platform
import Synchronization

/// Webhooks in memory, with one under the id that the table has as its example; everything that is sent arrives.
final class FakeWebhooks: WebhookStore, WebhookSending {
    private let kept: Mutex<[String: KeptWebhook]>

    init() {
        let hook = Webhook(
            id: "w3f9ab27c1d2e", url: "https://hooks.example.com/", secret: String(repeating: "s", count: 43), createdAt: SystemClock.now())
        kept = Mutex([hook.id: KeptWebhook(hook: hook, state: WebhookState(cursor: "7-0"), version: "0")])
    }

    func webhooks() async throws -> [KeptWebhook] { kept.withLock { Array($0.values) } }

    func add(_ hook: Webhook, limit: Int) async throws -> Bool {
        kept.withLock { kept in
            guard kept.count < limit else { return false }
            kept[hook.id] = KeptWebhook(hook: hook, state: WebhookState(cursor: "0-0"), version: "0")
            return true
        }
    }

    func remove(_ id: String) async throws { kept.withLock { $0[id] = nil } }

    func change(_ old: KeptWebhook, to hook: Webhook, _ state: WebhookState) async throws -> KeptWebhook? {
        kept.withLock { kept in
            guard kept[hook.id]?.version == old.version else { return nil }
            kept[hook.id] = KeptWebhook(hook: hook, state: state, version: "\(state.edition)")
            return kept[hook.id]
        }
    }

    func deliveries(of id: String, limit: Int) async throws -> [WebhookDelivery] {
        [WebhookDelivery(at: SystemClock.now(), event: "7-0", kind: "exit.serving", attempt: 1, status: 200, milliseconds: 1)]
    }

    func problem(with url: String) -> String? { WebhookTarget(url)?.isSecure == true ? nil : "expected https://" }

    func test(_ hook: Webhook) async -> WebhookDelivery {
        WebhookDelivery(at: SystemClock.now(), event: "test", kind: "webhook.test", attempt: 1, status: 200, milliseconds: 1)
    }
}
