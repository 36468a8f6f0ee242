import Platform
import Synchronization

/// A topic whose items are read from the store while somebody follows it, and only then.
package final class StoredTopic: Sendable {
    private struct State {
        /// Counts the readings that brought something else, so that equal numbers are equal items.
        var number = 0
        var items: [String: String] = [:]
    }

    let topic: Topic
    /// Quarters of a second between two readings.
    private let beats: Int
    private let read: @Sendable () async -> [String: String]?
    private let state = Mutex(State())

    /// - Parameter read: the items; nil where they can't be had, and then the last ones stay.
    package init(_ topic: Topic, beats: Int, read: @escaping @Sendable () async -> [String: String]?) {
        (self.topic, self.beats, self.read) = (topic, beats, read)
    }

    /// What a reader gets.
    /// - Parameter isShown: whether the reader may know the item with this id.
    package func source(_ isShown: @escaping @Sendable (String) -> Bool) -> RevisedSource {
        RevisedSource(revision: { [self] in "\(state.withLock { $0.number })" }) { [self] _ in
            state.withLock { $0.items }.filter { isShown($0.key) }
        }
    }

    /// Reads until it is cancelled.
    /// - Parameter isFollowed: whether somebody follows the topic now.
    func run(isFollowed: () -> Bool) async {
        var count = 0
        while (try? await Task.sleep(for: .milliseconds(250))) != nil {
            guard isFollowed() else {
                // The next reader gets the first reading at once, and no old one before it.
                if count > 0 { show([:]) }
                count = 0
                continue
            }
            if count % beats == 0, let items = await read() { show(items) }
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
