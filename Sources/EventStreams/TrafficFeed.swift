import Platform
import Synchronization

/// Reads what exits and users carry while somebody follows the topic `traffic`, and only then.
package final class TrafficFeed: Sendable {
    private struct State {
        /// Counts the readings, so that equal numbers are equal items.
        var number = 0
        /// JSON by `exit:ID` and `user:NAME`.
        var items: [String: String] = [:]
    }

    /// Quarters of a second between two readings.
    private static let beats = 8
    private let state = Mutex(State())

    package init() {}

    /// The topic's items; those of users are for who may read users.
    package func source(showsUsers: Bool) -> RevisedSource {
        RevisedSource(revision: { [self] in "\(state.withLock { $0.number })" }) { [self] _ in
            let items = state.withLock { $0.items }
            return showsUsers ? items : items.filter { $0.key.hasPrefix("exit:") }
        }
    }

    /// Runs until it is cancelled.
    /// - Parameter read: the items; nil where they can't be had, and then none are shown.
    func run(_ hub: TopicHub, read: @Sendable () async -> [String: String]?) async {
        var count = 0
        while (try? await Task.sleep(for: .milliseconds(250))) != nil {
            guard hub.isFollowed(.traffic) else {
                // The next reader gets the first reading at once, and no old one before it.
                if count > 0 { show([:]) }
                count = 0
                continue
            }
            if count % Self.beats == 0 { show(await read() ?? [:]) }
            count += 1
        }
    }

    private func show(_ items: [String: String]) {
        state.withLock { state in
            guard items != state.items else { return }
            state.items = items
            state.number += 1
        }
    }
}
