import FoundationEssentials
package import Model
package import Planning
package import Platform
import Synchronization

/// Sends events to webhooks: each in order, at least once, one event of a hook at a time, hooks independent of each other.
package final class WebhookSender: Sendable {
    package struct Settings: Sendable {
        package var rules = WebhookRules()
        package var addresses = WebhookAddresses()
        /// Seconds that a receiver has for its answer.
        package var deadline: Double = 10
        package var version = "0"
        package init() {}
    }

    let record: any WebhookRecord
    private let transport: any WebhookTransport
    private let settings: Settings
    private let log: Log
    /// True while this controller may send; asked before each try.
    let mayAct: @Sendable () -> Bool
    private let busy = Mutex<Set<String>>([])

    package init(
        record: any WebhookRecord, transport: any WebhookTransport, settings: Settings, log: Log, mayAct: @escaping @Sendable () -> Bool
    ) {
        self.record = record
        self.transport = transport
        self.settings = settings
        self.log = log
        self.mayAct = mayAct
    }

    /// Which receivers are sent to.
    package var addresses: WebhookAddresses { settings.addresses }

    /// Sends until it is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.watchQueues() }
            var isAway = false
            while !Task.isCancelled {
                do {
                    for kept in try await due() where begin(kept.hook.id) {
                        group.addTask {
                            await self.send(kept)
                            self.end(kept.hook.id)
                        }
                    }
                    if isAway { log.info("webhooks are sent again") }
                    isAway = false
                } catch {
                    if !isAway { log.warning("webhooks wait: the store does not answer", ["error": "\(error)"]) }
                    isAway = true
                }
                try? await Task.sleep(for: .milliseconds(250))
            }
            group.cancelAll()
        }
    }

    /// Sends one event that says nothing but that it is a test, now and once.
    package func test(_ hook: Webhook) async -> WebhookDelivery {
        let event = Event(at: SystemClock.now(), .reloaded, .info, "a test of this webhook")
        let delivery = await deliver(WebhookPayload(id: "test", hook: hook.id, event: event, kind: "webhook.test"), to: hook, attempt: 1)
        try? await record.note(delivery, of: hook.id)
        return delivery
    }

    // MARK: - One hook

    private func begin(_ id: String) -> Bool { busy.withLock { $0.insert(id).inserted } }
    private func end(_ id: String) { busy.withLock { _ = $0.remove(id) } }

    private func due() async throws -> [KeptWebhook] {
        guard mayAct() else { return [] }
        let (hooks, last) = try await record.webhooks()
        let now = SystemClock.now()
        return last.map { last in hooks.filter { settings.rules.isDue($0.state, last: last, now: now) } } ?? []
    }

    /// Sends what there is, until all is sent, a try fails, or somebody else changes the hook.
    private func send(_ start: KeptWebhook) async {
        var kept = start
        do {
            while let next = try await sendBatch(kept) { kept = next }
        } catch {
            // What was delivered and could not be noted is delivered again.
            log.debug("a webhook's state is not stored", ["webhook": kept.hook.id, "error": "\(error)"])
        }
    }

    /// - Returns: nil where there is nothing more to do for now.
    private func sendBatch(_ start: KeptWebhook) async throws -> KeptWebhook? {
        var kept = start
        let page = try await record.page(after: kept.state.cursor, limit: 100)
        if let gap = page.gap {
            guard let next = try await sendGap(gap, page, to: kept) else { return nil }
            kept = next
        }
        var state = kept.state
        for entry in page.events {
            guard kept.hook.wants(entry.event) else {
                state.cursor = entry.id
                continue
            }
            let payload = WebhookPayload(id: entry.id, hook: kept.hook.id, event: entry.event, kind: entry.event.kind.rawValue)
            guard let next = try await attempt(payload, kept, from: state) else { return nil }
            (kept, state) = (next, next.state)
        }
        guard let end = page.end else { return nil }
        // Also past what can't be read.
        state.cursor = end.description
        return state == kept.state ? kept : try await record.update(kept, to: state, delivery: nil, event: nil)
    }

    /// Tells one that was away for longer than events are kept what it has missed.
    private func sendGap(_ gap: EventPage.Gap, _ page: EventPage, to kept: KeptWebhook) async throws -> KeptWebhook? {
        guard let end = page.end else { return nil }
        let first = gap == .unknown ? nil : page.events.first.flatMap { EventPlace($0.id) } ?? end
        let missed = WebhookPayload.Missed(reason: gap, after: kept.state.cursor, before: first)
        guard
            let next = try await attempt(
                WebhookPayload(missed, hook: kept.hook.id), kept, from: kept.state, cursor: (first?.predecessor ?? end).description)
        else { return nil }
        log.warning("a webhook has missed events, and was notified", ["webhook": kept.hook.id, "after": missed.after])
        return next
    }

    /// One try, and what becomes of the hook.
    /// - Parameter cursor: what it is done with then; nil for the event itself.
    /// - Returns: nil where it was not delivered, or the hook is another one by now.
    private func attempt(
        _ payload: WebhookPayload, _ kept: KeptWebhook, from state: WebhookState, cursor: String? = nil
    ) async throws -> KeptWebhook? {
        guard !Task.isCancelled, mayAct() else { return nil }
        let delivery = await deliver(payload, to: kept.hook, attempt: state.failures + 1)
        // A try that our own end cut short says nothing about the receiver.
        if Task.isCancelled, !delivery.isDelivered { return nil }
        let after = settings.rules.state(state, after: delivery, cursor: cursor, salt: UInt64.random(in: .min ... .max))
        let event = disabledEvent(kept.hook, after) ?? loss(kept.hook, state, after, delivery)
        let next = try await record.update(kept, to: after, delivery: delivery, event: event)
        return delivery.isDelivered ? next : nil
    }

    /// The event that tells that a hook was disabled.
    private func disabledEvent(_ hook: Webhook, _ state: WebhookState) -> Event? {
        guard !state.isEnabled, let at = state.disabledAt else { return nil }
        log.warning(
            "a webhook is disabled: its receiver is gone, or has failed for too long", ["webhook": hook.id, "error": state.lastError ?? ""])
        return Event(
            at: at, .hookDisabled, .warning,
            "webhook \(hook.id) is disabled after \(state.failures) failed attempts: \(state.lastError ?? "?")",
            cause: .webhooks)
    }

    /// The event that tells that another one was given up.
    private func loss(_ hook: Webhook, _ before: WebhookState, _ after: WebhookState, _ delivery: WebhookDelivery) -> Event? {
        guard after.deadLetters != before.deadLetters else { return nil }
        let error = delivery.error ?? "?"
        log.warning(
            "a webhook's receiver refuses an event; the next is sent", ["webhook": hook.id, "event": delivery.event, "error": error])
        return Event(
            at: delivery.at, .hookGaveUp, .warning,
            "webhook \(hook.id) gave up on event \(delivery.event) (\(delivery.kind)): \(error)", cause: .webhooks)
    }

    // MARK: - One try

    private func deliver(_ payload: WebhookPayload, to hook: Webhook, attempt: Int) async -> WebhookDelivery {
        let begin = ContinuousClock.now
        let now = SystemClock.now()
        var delivery = WebhookDelivery(at: now, event: payload.id, kind: payload.kind, attempt: attempt)
        do {
            let answer = try await transport.post(try await request(payload, to: hook, attempt: attempt, at: now))
            delivery.status = answer.status
            delivery.error = ReceiverWords.problem(answer, hook.format ?? .sallyport)
        } catch {
            delivery.error = String("\(error)".prefix(300))
        }
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        delivery.milliseconds = (seconds * 10_000).rounded() / 10
        // One that our own end cut short says nothing about the receiver.
        if !Task.isCancelled || delivery.isDelivered { count(delivery, seconds: seconds) }
        return delivery
    }

    private func request(_ payload: WebhookPayload, to hook: Webhook, attempt: Int, at now: Timestamp) async throws -> WebhookRequest {
        let address = try await settings.addresses.address(of: hook.url, attempt: attempt)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let message = try WebhookMessage(payload, encoder).body(hook.format ?? .sallyport, url: hook.url)
        let body = try message ?? [UInt8](encoder.encode(payload))
        let seconds = now.milliseconds / 1000
        let signature = Digest.hmac(WebhookRules.signed(seconds: seconds, body: body), key: hook.secret)
        return WebhookRequest(
            url: hook.url, address: address,
            headers: [
                ("Content-Type", "application/json"), ("User-Agent", "sallyport/\(settings.version)"),
                ("X-Sallyport-Event", payload.kind), ("X-Sallyport-Delivery", payload.id), ("X-Sallyport-Attempt", String(attempt)),
                ("X-Sallyport-Signature", "t=\(seconds),v1=\(signature)"),
            ], body: body, deadline: settings.deadline)
    }
}
