import Model
import Platform

/// What the sender tells of itself in the metrics.
extension WebhookSender {
    private static let countedEvents = 1000

    /// Counts a try.
    func count(_ delivery: WebhookDelivery, seconds: Double) {
        let result = delivery.isDelivered ? "delivered" : delivery.status == nil ? "failed" : "refused"
        Metrics.deliveries.add(1, result)
        Metrics.deliverySeconds.observe(seconds)
    }

    /// Tells how far each webhook is behind, every few seconds until it is cancelled.
    func watchQueues() async {
        while !Task.isCancelled {
            // Where the store is away the last figures stand.
            if let (waiting, states) = try? await queues() {
                Metrics.waitingEvents.replace(waiting)
                Metrics.webhooks.replace(states)
            }
            try? await Task.sleep(for: .seconds(5))
        }
    }

    /// By webhook the events that it is not done with, and how many webhooks are in each state. Who may not send does not know.
    func queues() async throws -> (waiting: [[String]: Double], states: [[String]: Double]) {
        guard mayAct() else { return ([:], [:]) }
        let (hooks, last) = try await record.webhooks()
        var waiting: [[String]: Double] = [:]
        var states: [[String]: Double] = [["working"]: 0, ["failing"]: 0, ["disabled"]: 0]
        for kept in hooks {
            states[[kept.state.isEnabled ? kept.state.failures > 0 ? "failing" : "working" : "disabled"], default: 0] += 1
            guard kept.state.isEnabled else { continue }
            let isBehind = last.map { $0 != kept.state.cursor } ?? false
            waiting[[kept.hook.id]] = isBehind ? Double(try await record.count(after: kept.state.cursor, limit: Self.countedEvents)) : 0
        }
        return (waiting, states)
    }
}
