package import Model

/// What becomes of a webhook after each try, and what is signed.
package struct WebhookRules: Sendable {
    package var backOff: BackOff
    /// Seconds of failing after which it is disabled.
    package var disableAfter: Double
    /// Refusals of one event after which the next one is sent.
    package var giveUpAfter: Int

    package init(backOff: BackOff = BackOff(first: 1, longest: 900), disableAfter: Double = 86_400, giveUpAfter: Int = 10) {
        self.backOff = backOff
        self.disableAfter = disableAfter
        self.giveUpAfter = giveUpAfter
    }

    /// True where there may be something to send.
    package func isDue(_ state: WebhookState, last: String, now: Timestamp) -> Bool {
        state.isEnabled && state.cursor != last && state.retryAt.map { $0 <= now } ?? true
    }

    /// The state after a try to deliver what comes after its cursor.
    /// - Parameter cursor: what it is done with once it has that; nil for the event itself.
    package func state(_ old: WebhookState, after delivery: WebhookDelivery, cursor: String? = nil, salt: UInt64) -> WebhookState {
        var state = old
        guard let error = delivery.error else {
            state.cursor = cursor ?? delivery.event
            (state.failures, state.failingSince, state.retryAt, state.lastError, state.refusals) = (0, nil, nil, nil, nil)
            state.deliveredAt = delivery.at
            return state
        }
        state.failures += 1
        let since = state.failingSince ?? delivery.at
        state.failingSince = since
        state.lastError = error
        if delivery.isRefused { state.refusals = (state.refusals ?? 0) + 1 }
        // One who is asked once in a while has to fail more than once.
        if delivery.isGone || delivery.at - since >= disableAfter && state.failures >= 3 {
            state.isEnabled = false
            state.disabledAt = delivery.at
            state.retryAt = nil
        } else if let refusals = state.refusals, refusals >= giveUpAfter {
            deadLetter(delivery, cursor: cursor, &state)
        } else {
            state.retryAt = delivery.at + backOff.pause(attempts: state.failures, salt: salt)
        }
        return state
    }

    /// The next event is sent at once. Failures go on being counted: one who refuses everything is asked less and less, and disabled.
    private func deadLetter(_ delivery: WebhookDelivery, cursor: String?, _ state: inout WebhookState) {
        state.cursor = cursor ?? delivery.event
        state.deadLetters = (state.deadLetters ?? 0) + 1
        state.lastDeadLetter = delivery.event
        (state.refusals, state.retryAt) = (nil, nil)
    }

    /// What the signature of a request is made of: its time in whole seconds since 1970, a point, the body as it is sent.
    package static func signed(seconds: Int64, body: [UInt8]) -> [UInt8] { Array("\(seconds).".utf8) + body }
}
