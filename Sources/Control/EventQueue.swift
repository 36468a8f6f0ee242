import Model
import Platform

/// Events that the store has not been told of yet. A value.
struct EventQueue {
    /// A controller must not grow for as long as the store is away: then the oldest events go first.
    private static let most = 2_000
    private static let batch = 200

    /// Sent for each event.
    let added = WakeSignal()
    private var waiting: [Event] = []

    var isEmpty: Bool { waiting.isEmpty }
    /// The oldest ones.
    var next: [Event] { Array(waiting.prefix(Self.batch)) }

    mutating func add(_ event: Event) {
        waiting.append(event)
        if waiting.count > Self.most { waiting.removeFirst(waiting.count - Self.most) }
        added.signal()
    }

    /// The store has these. Some may have been dropped meanwhile, at the front.
    mutating func stored(_ events: [Event]) {
        if let last = events.last, let index = waiting.lastIndex(of: last) { waiting.removeFirst(index + 1) }
    }
}
