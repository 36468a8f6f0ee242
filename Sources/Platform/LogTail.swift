package import Model
import Synchronization

/// One line of the log, as a value.
package struct LogLine: Sendable {
    /// Counts the lines of its log, from 1; a number that is missing is a line that was lost on the way.
    package var number = 0
    package var time: Timestamp
    package var level: String
    package var message: String
    package var fields: [String: String]

    package var json: String {
        var text = "{\"time\":\"\(time)\",\"level\":\"\(level)\",\"message\":\(JSONText.quoted(message)),\"fields\":{"
        text += fields.sorted { $0.key < $1.key }.map { "\(JSONText.quoted($0.key)):\(JSONText.quoted($0.value))" }.joined(separator: ",")
        return text + "}}"
    }
}

/// The latest lines of a log, for those who can't read its file. Thread-safe.
package final class LogTail: Sendable {
    private struct State {
        var lines: [LogLine] = []
        var count = 0
        var followers: [Int: AsyncStream<LogLine>.Continuation] = [:]
        var next = 0
    }

    private static let kept = 1000
    private let state = Mutex(State())
    package init() {}

    package var lines: [LogLine] { state.withLock { $0.lines } }
    /// How many lines there have been.
    package var count: Int { state.withLock { $0.count } }

    func add(_ line: LogLine) {
        state.withLock { state in
            var line = line
            state.count += 1
            line.number = state.count
            state.lines.append(line)
            // In steps, since each removal moves all that stays.
            if state.lines.count > Self.kept * 2 { state.lines.removeFirst(Self.kept) }
            for follower in state.followers.values { follower.yield(line) }
        }
    }

    /// Every line from now on, until the reader goes away; one that can't keep up misses the oldest.
    package func follow() -> AsyncStream<LogLine> {
        AsyncStream(bufferingPolicy: .bufferingNewest(Self.kept)) { continuation in
            let number = state.withLock { state in
                state.next += 1
                state.followers[state.next] = continuation
                return state.next
            }
            continuation.onTermination = { [weak self] _ in self?.state.withLock { $0.followers[number] = nil } }
        }
    }
}
