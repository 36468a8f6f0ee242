import Glibc
import Model
import Synchronization

/// How far things have come that must never go back, remembered in this process and in two files.
///
/// `<path>` is written with each change and not forced to the disk: it counts until the machine starts again, whatever happens to this
/// process. `<path>.settled` is forced to the disk and is 5 to 10 s old: a store that forces its writes once a second has all of that
/// after a power cut. So a power cut raises no alarm, and what was last changed before one could be set back unseen.
package final class HighMarks: Sendable {
    package struct Mark: Sendable, Equatable {
        package var number: Int
        /// What is at that number: a word without blanks.
        package var digest: String

        package init(number: Int, digest: String) {
            self.number = number
            self.digest = digest
        }
    }

    private struct State {
        var marks: [String: Mark] = [:]
        /// What the durable file holds, and what it is to hold next.
        var durable: [String: Mark] = [:]
        var nextDurable: [String: Mark] = [:]
        var isTroubled = false
    }

    /// Seconds between two writes of the durable file.
    private static let seconds = 5.0
    private let path: String?
    private let log: Log
    private let state: Mutex<State>

    /// - Parameter path: nil remembers in this process alone.
    package init(path: String?, log: Log = .none) {
        self.path = path
        self.log = log
        var first = State()
        if let path {
            first.durable = Self.read("\(path).settled", from: nil)
            first.marks = first.durable
            for (name, mark) in Self.read(path, from: Self.start) where mark.number >= first.marks[name]?.number ?? 0 {
                first.marks[name] = mark
            }
            first.nextDurable = first.marks
        }
        state = Mutex(first)
    }

    package subscript(name: String) -> Mark? { state.withLock { $0.marks[name] } }

    /// Remembers a mark, unless a higher one is known.
    /// - Parameter isDurable: forced to the disk before this returns.
    package func raise(_ name: String, to mark: Mark, isDurable: Bool = false) {
        change(isDurable: isDurable) { marks in
            if mark.number >= marks[name]?.number ?? 0 { marks[name] = mark }
        }
    }

    /// Remembers several at once, as `raise` does.
    package func raise(_ new: [String: Mark]) {
        change(isDurable: false) { marks in
            for (name, mark) in new where mark.number >= marks[name]?.number ?? 0 { marks[name] = mark }
        }
    }

    private func change(isDurable: Bool, _ body: (inout [String: Mark]) -> Void) {
        state.withLock { state in
            let old = state.marks
            body(&state.marks)
            guard state.marks != old else { return }
            // Under the lock, so that an older content never replaces a newer one.
            var error = write(state.marks, to: path, isDurable: false)
            if isDurable {
                (state.nextDurable, state.durable) = (state.marks, state.marks)
                error = write(state.marks, to: path.map { "\($0).settled" }, isDurable: true) ?? error
            }
            note(error, &state)
        }
    }

    /// Forces to the disk what was remembered a while ago, again and again, until it is cancelled.
    package func run() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(Self.seconds))
            if !Task.isCancelled { try? await Blocking.run { self.makeDurable() } }
        }
    }

    /// Forces to the disk what was remembered before the last call.
    package func makeDurable() {
        let marks = state.withLock { state -> [String: Mark]? in
            let marks = state.nextDurable
            state.nextDurable = state.marks
            guard marks != state.durable else { return nil }
            state.durable = marks
            return marks
        }
        // Not under the lock: whoever remembers something must not wait for the disk.
        if let marks { note(write(marks, to: path.map { "\($0).settled" }, isDurable: true)) }
    }

    // MARK: - The files

    /// What this start of the machine is called.
    private static let start = (try? Files.read("/proc/sys/kernel/random/boot_id", limit: 128).filter { !$0.isWhitespace }) ?? "unknown"

    private func write(_ marks: [String: Mark], to path: String?, isDurable: Bool) -> (any Error)? {
        guard let path else { return nil }
        let lines = ["boot \(Self.start)"] + marks.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.number) \($0.value.digest)" }
        do { try Files.write(lines.joined(separator: "\n") + "\n", to: path, mode: 0o600, isDurable: isDurable) } catch { return error }
        return nil
    }

    private func note(_ error: (any Error)?) { state.withLock { note(error, &$0) } }

    private func note(_ error: (any Error)?, _ state: inout State) {
        if let error, !state.isTroubled {
            log.error("the state of the store can't be recorded in data_dir", ["error": "\(error)"])
        }
        state.isTroubled = error != nil
    }

    private static func read(_ path: String, from start: String?) -> [String: Mark] {
        guard let text = try? Files.read(path) else { return [:] }
        let lines = text.split(separator: "\n").map { $0.split(separator: " ") }
        if let start, lines.first != ["boot", start[...]] { return [:] }
        return lines.dropFirst().reduce(into: [:]) { marks, words in
            guard words.count == 3, let number = Int(words[1]) else { return }
            marks[String(words[0])] = Mark(number: number, digest: String(words[2]))
        }
    }
}
