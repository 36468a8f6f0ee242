import FoundationEssentials
import Model
import Platform

/// A webhook as JSON in Redis, its secret sealed for its place.
enum WebhookText {
    /// The same each time for the same value.
    static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// - Parameter sealer: nil leaves the secret as it is.
    static func text(_ hook: Webhook, _ key: String, _ sealer: Sealer?) throws -> String {
        var hook = hook
        if let sealer { hook.secret = try sealer.seal(Secret(hook.secret), for: [key, hook.id]) }
        return try text(hook)
    }

    /// - Throws: `Sealer.Unopened` for a secret that can't be opened; one that is not sealed is from the version before.
    static func webhook(_ text: String, _ field: String, _ key: String, _ sealer: Sealer?) throws -> Webhook {
        var hook = try JSONDecoder().decode(Webhook.self, from: Data(text.utf8))
        if Sealer.isSealed(hook.secret) {
            guard let sealer else { throw Sealer.Unopened() }
            hook.secret = try sealer.open(hook.secret, for: [key, field]).revealed
        }
        return hook
    }

    /// A stored text with its secret sealed by the first key; what can't be read or opened stays as it is.
    static func sealed(_ stored: String, _ field: String, _ key: String, _ sealer: Sealer) throws -> String {
        guard let hook = try? JSONDecoder().decode(Webhook.self, from: Data(stored.utf8)), !sealer.isCurrent(hook.secret),
            let open = try? webhook(stored, field, key, sealer)
        else { return stored }
        return try text(open, key, sealer)
    }
}
