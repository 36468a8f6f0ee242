import EventStreams
import HTTPServing
import Model
import OpenAPI
import Platform

/// `/api/webhooks`: where events are sent.
struct WebhookRoutes: RouteGroup {
    let store: (any WebhookStore)?
    let webhookSender: (any WebhookSending)?
    let events: (any EventSource)?

    private static let hookLimit = 100

    private static let hookFields: [Schema.Field] = [
        .maybe("kinds", .list(.choice(EventKind.self), limit: 64), "only these kinds of events; empty for all"),
        .maybe("countries", .list(.country, limit: 250), "only events of these countries; empty for all"),
        .maybe(
            "format", .choice(WebhookFormat.self),
            "of the requests' bodies: `sallyport` (every field), or a message for Slack, Discord, Teams or Telegram"),
        .maybe(
            "secret", .text(ShownWebhook.secretExample, pattern: "^[!-~]{32,128}$"),
            "signs the requests; made if none is given"),
    ]

    private static let hookURL = Schema.text("https://hooks.example.com/sallyport", length: 8...1024, format: "uri")

    var routes: [APIRoute] {
        let one = Answer.json(200, "the webhook", .webhook)
        return [
            Route("GET", "/api/webhooks", .admin, "Webhooks", answers: [.json(200, "the webhooks", .webhooks)], .waiting(listWebhooks)),
            Route(
                "POST", "/api/webhooks", .admin, "Makes a webhook", "It gets the events from now on. Only this answer shows its secret.",
                body: Body(
                    .object([.always("url", Self.hookURL)] + Self.hookFields),
                    example: .object(["url": .string("https://hooks.example.com/sallyport"), "kinds": .array([.string("exit.serving")])])),
                answers: [
                    .json(
                        201, "the webhook", .webhook, headers: ["Location"],
                        showing: ["secret": .string(ShownWebhook.secretExample), "delivered_at": nil])
                ], limit: .strict, answersSecret: true, .waiting(createWebhook)),
            Route("GET", "/api/webhooks/{hook}", .admin, "One webhook", answers: [one], .waiting(showWebhook)),
            Route(
                "PATCH", "/api/webhooks/{hook}", .admin, "Changes, disables or enables a webhook",
                "When enabled again, it continues at the same event.",
                body: Body(
                    .object([.maybe("url", Self.hookURL), .maybe("enabled", .flag)] + Self.hookFields),
                    example: .object(["enabled": .bool(false)])),
                answers: [.json(200, "the webhook", .webhook, showing: ["enabled": .bool(false)])],
                problems: [409], limit: .strict, .waiting(changeWebhook)),
            Route(
                "DELETE", "/api/webhooks/{hook}", .admin, "Removes a webhook", answers: [.empty("the webhook is removed")], limit: .strict,
                .waiting(removeWebhook)),
            Route(
                "GET", "/api/webhooks/{hook}/deliveries", .admin, "A webhook's latest attempts",
                query: [Parameter("limit", .whole(1...200, 50), "attempts at most")],
                answers: [.json(200, "the tries", .webhookDeliveries)],
                .waiting(listDeliveries)),
            Route(
                "POST", "/api/webhooks/{hook}/test", .admin, "Sends a test to a webhook",
                "Once, now, also if it is disabled; the answer has the result.", answers: [.json(200, "the try", .webhookDelivery)],
                limit: .strict, .waiting(testWebhook)),
            Route(
                "POST", "/api/webhooks/{hook}/replay", .admin, "Sends events again",
                "All events for it after the given one, in order; `0-0` is before the first.",
                body: Body(
                    .always("after", .text("0-0", pattern: "^[0-9]{1,18}-[0-9]{1,18}$"), "an event's id, not later than the last one's")),
                answers: [.json(202, "the webhook", .webhook, showing: ["cursor": .string("0-0")])], limit: .strict, .waiting(replayWebhook)
            ),
        ]
    }

    func listWebhooks(_ request: ServerRequest) async throws -> ServerResponse {
        let hooks = try await hooked { try await $0.webhooks() }.sorted {
            ($0.hook.createdAt, $0.hook.id) < ($1.hook.createdAt, $1.hook.id)
        }
        return .json(["webhooks": hooks.map { ShownWebhook.view(ShownWebhook(hook: $0.hook, state: $0.state)) }])
    }

    func showWebhook(_ request: ServerRequest) async throws -> ServerResponse { Self.shown(try await webhook(of: request)) }

    func createWebhook(_ request: ServerRequest) async throws -> ServerResponse {
        let sender = try sender
        let blank = Webhook(
            id: "w" + Digest.randomHex(bytes: 6), url: "", secret: Digest.randomWord(length: 43), createdAt: SystemClock.now())
        let made: Webhook = try request.body { reader in
            var made = blank
            if !reader.has("url") { reader.problem("url", "is missing, expected an https:// URL") }
            Self.read(reader, into: &made, sender)
            return made
        }
        guard try await hooked({ try await $0.add(made, limit: Self.hookLimit) }) else {
            throw APIProblem(status: 409, code: "too_many", message: "there are \(Self.hookLimit) webhooks, the maximum")
        }
        let kept = try await hooked { try await $0.webhooks() }.first { $0.hook.id == made.id }
        let state = kept?.state ?? WebhookState(cursor: "0-0")
        return .json(
            ShownWebhook.view(ShownWebhook(hook: made, state: state, secret: made.secret)), status: 201,
            headers: [("Location", "/api/webhooks/\(made.id)")])
    }

    func changeWebhook(_ request: ServerRequest) async throws -> ServerResponse {
        let sender = try sender
        return Self.shown(
            try await changed(request) { hook, state in
                let (old, oldState) = (hook, state)
                (hook, state) = try request.body { reader in
                    var (new, newState) = (old, oldState)
                    Self.read(reader, into: &new, sender)
                    if let isEnabled = reader.bool("enabled"), isEnabled != newState.isEnabled {
                        if isEnabled { newState.enable() } else { newState.isEnabled = false }
                    }
                    return (new, newState)
                }
            })
    }

    func removeWebhook(_ request: ServerRequest) async throws -> ServerResponse {
        let id = try await webhook(of: request).hook.id
        try await hooked { try await $0.remove(id) }
        return .noContent
    }

    func listDeliveries(_ request: ServerRequest) async throws -> ServerResponse {
        let id = try await webhook(of: request).hook.id
        let limit = request.whole("limit") ?? 50
        return .json(["deliveries": try await hooked { try await $0.deliveries(of: id, limit: limit) }.map { ShownWebhook.delivery($0) }])
    }

    func testWebhook(_ request: ServerRequest) async throws -> ServerResponse {
        .json(ShownWebhook.delivery(try await sender.test(try await webhook(of: request).hook)))
    }

    func replayWebhook(_ request: ServerRequest) async throws -> ServerResponse {
        let after: String = try request.body { reader in
            let after = reader.required("after", reader.string("after"), want: "an event's id like 1795222923456-0")
            if let after, !StoredEvent.isValidID(after) { reader.problem("after", "not an event's id, expected one like 1795222923456-0") }
            return after
        }
        // A later one would be waited for, perhaps for ever.
        if let last = try await hooked({ _ in try await events?.latest(limit: 1) }), let place = EventPlace(after),
            place > last.end ?? .start
        {
            throw APIProblem.invalid("after", "is later than the last event, which is \(last.end ?? .start)")
        }
        return Self.shown(
            try await changed(request) { _, state in
                state.cursor = after
                (state.failures, state.failingSince, state.retryAt, state.lastError, state.refusals) = (0, nil, nil, nil, nil)
            }, status: 202)
    }

    // MARK: - Parts of these

    private static func shown(_ kept: KeptWebhook, status: Int = 200) -> ServerResponse {
        .json(ShownWebhook.view(ShownWebhook(hook: kept.hook, state: kept.state)), status: status)
    }

    private var sender: any WebhookSending {
        get throws {
            guard let sender = webhookSender else { throw APIProblem.unavailable("webhooks need a store") }
            return sender
        }
    }

    private func hooked<Value>(_ body: (any WebhookStore) async throws -> Value) async throws -> Value {
        guard let store else { throw APIProblem.unavailable("webhooks need a store") }
        return try await APIProblem.ifUnavailable { try await body(store) }
    }

    private func webhook(of request: ServerRequest) async throws -> KeptWebhook {
        let id = request.parameters["hook"] ?? ""
        guard let kept = try await hooked({ try await $0.webhooks() }).first(where: { $0.hook.id == id }) else {
            throw APIProblem.notFound("such webhook")
        }
        return kept
    }

    /// Changes a webhook, whatever its sender does meanwhile.
    private func changed(
        _ request: ServerRequest, _ body: (inout Webhook, inout WebhookState) throws -> Void
    ) async throws -> KeptWebhook {
        for _ in 0..<50 {
            let kept = try await webhook(of: request)
            var (hook, state) = (kept.hook, kept.state)
            try body(&hook, &state)
            state.edition += 1
            let (newHook, newState) = (hook, state)
            if let changed = try await hooked({ try await $0.change(kept, to: newHook, newState) }) { return changed }
        }
        throw APIProblem(status: 409, code: "busy", message: "the webhook is changed too often at the same time; try again")
    }

    private static func read(_ reader: FieldReader, into hook: inout Webhook, _ sender: any WebhookSending) {
        if let url = reader.string("url") {
            hook.url = url
            if let problem = sender.problem(with: url) { reader.problem("url", problem) }
        }
        if let texts = reader.strings("kinds", limit: 64) {
            hook.kinds = texts.enumerated().compactMap { index, text in
                let kind = EventKind(rawValue: text)
                if kind == nil { reader.problem("kinds[\(index)]", "unknown kind, expected one like exit.serving or pool.failover") }
                return kind
            }
        }
        if let countries = reader.countries("countries") { hook.countries = countries }
        if let format = reader.choice("format", WebhookFormat.self) { hook.format = format == .sallyport ? nil : format }
        if hook.format == .telegram, !hook.url.isEmpty, WebhookTarget.chat(of: hook.url) == nil {
            reader.problem("url", "names no chat, expected https://api.telegram.org/bot<token>/sendMessage?chat_id=<chat>")
        }
        if let secret = reader.string("secret") {
            hook.secret = secret
            if secret.utf8.count > 128 || PasswordRule.problem(withKey: secret) != nil {
                reader.problem(
                    "secret", "expected 32 to 128 printable ASCII characters without blanks, random ones; without a secret one is made")
            }
        }
    }
}

extension Schema {
    static let webhook = ShownWebhook.view.schema
    static let webhooks = named("Webhooks", .always("webhooks", .list(.webhook)))
    static let webhookDelivery = ShownWebhook.delivery.schema
    static let webhookDeliveries = named(
        "WebhookDeliveries", .always("deliveries", .list(.webhookDelivery), "newest first; the latest 200 are kept"))
}
