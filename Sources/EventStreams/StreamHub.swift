package import HTTPServing
import Platform
import Synchronization

/// Sends what happens in this process to every reader of one stream.
///
/// Ids are `<process>-<number>`: the first part tells processes apart, the second grows. A reader who comes with an id of this
/// process gets what came after it, where that is still kept; any other is told of the gap, and gets what stands for it.
package final class StreamHub: Sendable {
    private struct State {
        /// What a reader who comes back can still get; the last one is item `number`.
        var recent: [Item] = []
        var number = 0
        /// Of all of `recent`.
        var bytes = 0
        var readers: [ObjectIdentifier: Reader] = [:]
    }

    private struct Item {
        let number: Int
        let bytes: [UInt8]
        /// The same for those who may not know proxy users' names.
        let plain: [UInt8]
    }

    private struct Reader {
        let stream: BodyStream
        let showsNames: Bool
    }

    /// Items that are kept, and bytes of them that one reader gets at once: with more its stream would overflow.
    private static let kept = 1000
    private static let burst = 128 << 10
    private static let readerLimit = 5000
    private let name: String
    private let process: String
    private let metrics: StreamMetrics
    private let state = Mutex(State())

    init(_ name: String, process: String, metrics: StreamMetrics) {
        self.name = name
        self.process = process
        self.metrics = metrics
    }

    package var readers: Int { state.withLock { $0.readers.count } }

    package func id(_ number: Int) -> String { "\(process)-\(number)" }

    // MARK: - Items

    /// Sends an event to every reader.
    /// - Parameters:
    ///   - plain: the same without proxy users' names; nil where it has none.
    ///   - number: where the items are counted elsewhere; one that is missing was lost, and readers are told so.
    func publish(_ event: String, _ data: String, plain: String? = nil, number: Int? = nil) {
        state.withLock { state in
            let next = number ?? state.number + 1
            guard next > state.number else { return }
            if next > state.number + 1 {
                // Nobody who comes back may go on across what is missing.
                (state.recent, state.bytes) = ([], 0)
                let gap = ServerSentEvents.gap("lost", after: id(state.number))
                send(gap, plain: gap, &state)
            }
            let bytes = ServerSentEvents.event(id: id(next), event, data)
            let item = Item(number: next, bytes: bytes, plain: plain.map { ServerSentEvents.event(id: id(next), event, $0) } ?? bytes)
            state.number = next
            state.recent.append(item)
            state.bytes += bytes.count
            Self.trim(&state)
            send(bytes, plain: item.plain, &state)
        }
    }

    /// In steps, since each removal moves all that stays.
    private static func trim(_ state: inout State) {
        guard state.recent.count > kept * 2 || state.bytes > burst * 4 else { return }
        var surplus = 0
        while state.recent.count - surplus > kept || (state.bytes > burst * 2 && surplus < state.recent.count) {
            state.bytes -= state.recent[surplus].bytes.count
            surplus += 1
        }
        state.recent.removeFirst(surplus)
    }

    /// Something happened while nobody was there to be told: whoever comes back has missed it.
    func skip() {
        state.withLock { state in
            state.number += 1
            (state.recent, state.bytes) = ([], 0)
        }
    }

    /// A comment, so that both sides notice when the other is gone.
    func beat() { state.withLock { send(ServerSentEvents.heartbeat, plain: ServerSentEvents.heartbeat, &$0) } }

    private func send(_ bytes: [UInt8], plain: [UInt8], _ state: inout State) {
        for (id, reader) in state.readers where !reader.stream.send(reader.showsNames ? bytes : plain) {
            state.readers[id] = nil
            // One who has left is no slow reader.
            if reader.stream.wasTooSlow { metrics.droppedReaders.add(1, name) }
        }
        metrics.streams.set(Double(state.readers.count), name)
    }

    // MARK: - Readers

    /// What stands for all that was before: one event, or as much of what is kept as fits.
    package enum Beginning {
        case snapshot(event: String, data: () -> String)
        case kept
    }

    /// A new reader.
    /// - Parameters:
    ///   - last: the id of the last event that it has seen; nil for none.
    ///   - showsNames: false for one who may not know proxy users' names.
    package func join(after last: String?, beginning: Beginning, showsNames: Bool = true) throws -> ServerResponse {
        let stream = BodyStream(closingMessage: ServerSentEvents.dropped)
        try state.withLock { state in
            // Those that are gone show when something is sent; a full house looks first.
            if state.readers.count >= Self.readerLimit { state.readers = state.readers.filter { !$0.value.stream.hasEnded } }
            guard state.readers.count < Self.readerLimit else { throw ServerSentEvents.tooManyReaders }
            stream.send(ServerSentEvents.retry)
            switch missed(after: last, state) {
            case .items(let items): for item in items { stream.send(showsNames ? item.bytes : item.plain) }
            case .gap(let reason):
                if let last { stream.send(ServerSentEvents.gap(reason, after: last)) }
                begin(Reader(stream: stream, showsNames: showsNames), beginning, isNew: last == nil, state)
            }
            state.readers[ObjectIdentifier(stream)] = Reader(stream: stream, showsNames: showsNames)
            metrics.streams.set(Double(state.readers.count), name)
        }
        return ServerSentEvents.response(stream)
    }

    private enum Missed {
        case items(ArraySlice<Item>)
        case gap(String)
    }

    private func missed(after last: String?, _ state: State) -> Missed {
        let parts = (last ?? "").split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let number = Int(parts[1]), number >= 0 else { return .gap("unknown") }
        guard parts[0] == process else { return .gap("other_process") }
        guard number <= state.number else { return .gap("unknown") }
        let items = state.recent.suffix(min(state.number - number, state.recent.count))
        guard items.count == state.number - number, items.reduce(0, { $0 + $1.bytes.count }) <= Self.burst else { return .gap("too_old") }
        return .items(items)
    }

    private func begin(_ reader: Reader, _ beginning: Beginning, isNew: Bool, _ state: State) {
        let stream = reader.stream
        switch beginning {
        case .snapshot(let event, let data): stream.send(ServerSentEvents.event(id: id(state.number), event, data()))
        case .kept:
            // A new reader wants what comes; with a place from the first moment on it loses nothing of that.
            guard !isNew else { return _ = stream.send(ServerSentEvents.place(id(state.number))) }
            var (from, bytes) = (state.recent.endIndex, 0)
            while from > state.recent.startIndex {
                bytes += state.recent[from - 1].bytes.count
                guard bytes <= Self.burst else { break }
                from -= 1
            }
            for item in state.recent[from...] { stream.send(reader.showsNames ? item.bytes : item.plain) }
        }
    }
}
