package import HTTPServing
package import Model
import Platform
import Synchronization

/// Sends events to the readers of `/api/stream/events`.
///
/// Ids are those of the store, which all controllers share: a reader goes on at any of them, and after any restart. The latest
/// events are kept here too, so that a thousand readers who come back at once don't ask the store.
package final class EventFeed: Sendable {
    private struct Reader {
        let stream: BodyStream
        let filter: EventFilter
        /// The last event that it has got, or that its filter has left out; nil while the store has not answered yet.
        var place: EventPlace?
        /// False while it is given older events.
        var isLive: Bool
        /// The last unstored event that it has got.
        var unstored = 0
    }

    private struct Kept {
        let place: EventPlace
        let event: Event
        /// With users' names, and without them.
        let bytes: [UInt8]
        let plain: [UInt8]

        func bytes(for filter: EventFilter) -> [UInt8] { filter.showsNames ? bytes : plain }
    }

    private struct State {
        /// The last event that was sent; nil before the store has answered once.
        var last: EventPlace?
        /// The latest events; all that came after `floor`.
        var recent: [Kept] = []
        var floor = EventPlace.start
        var readers: [ObjectIdentifier: Reader] = [:]
        /// What the store has not taken yet, each with a number that grows.
        var unstored: [(number: Int, event: Event)] = []
        var numbers = 0
    }

    static let readerLimit = 5000
    private static let kept = 1000
    private static let unstoredLimit = 2000
    /// Bytes that one who comes back is sent at once; more would overflow its stream, and come from the store.
    private static let burst = 128 << 10
    private let metrics: StreamMetrics
    private let state = Mutex(State())
    let catchUpReaders: AsyncStream<CatchUpReader>
    private let catchUps: AsyncStream<CatchUpReader>.Continuation

    init(metrics: StreamMetrics) {
        self.metrics = metrics
        (catchUpReaders, catchUps) = AsyncStream.makeStream()
    }

    package var readers: Int { state.withLock { $0.readers.count } }
    var last: EventPlace? { state.withLock { $0.last } }
    /// All later events are kept here.
    var floor: EventPlace { state.withLock { $0.floor } }

    /// Changes with the events that are kept.
    package var revision: String {
        state.withLock { "\($0.last?.description ?? "")/\($0.recent.count)/\($0.unstored.last?.number ?? 0)/\($0.unstored.count)" }
    }

    /// The latest events, oldest first. What the store has not taken has its own id in place of one of the store's.
    package func latest(_ count: Int) -> [(id: String, event: Event)] {
        state.withLock { state in
            state.recent.suffix(count).map { ($0.place.description, $0.event) }
                + state.unstored.suffix(count).map { ($0.event.uid ?? "\($0.number)", $0.event) }
        }
    }

    // MARK: - Readers

    /// Opens a stream.
    /// - Parameter place: the last event that its reader has seen; nil for a new reader.
    /// - Throws: `APIProblem` where there are too many readers.
    package func open(_ filter: EventFilter, after place: EventPlace?) throws -> ServerResponse {
        let stream = BodyStream(closingMessage: ServerSentEvents.dropped)
        try join(stream, filter, after: place)
        return ServerSentEvents.response(stream)
    }

    func join(_ stream: BodyStream, _ filter: EventFilter, after place: EventPlace?) throws {
        let isLate = try state.withLock { state in
            // Those that are gone show when something is sent; a full house looks first.
            if state.readers.count >= Self.readerLimit { state.readers = state.readers.filter { !$0.value.stream.hasEnded } }
            guard state.readers.count < Self.readerLimit else { throw ServerSentEvents.tooManyReaders }
            stream.send(ServerSentEvents.retry)
            let id = ObjectIdentifier(stream)
            state.readers[id] = Reader(stream: stream, filter: filter, place: place ?? state.last, isLive: false)
            metrics.streams.set(Double(state.readers.count), "events")
            if let place { return !goLive(id, from: place, &state) }
            // With a place from the first moment on nothing is lost, however early the connection breaks.
            if let last = state.last { stream.send(ServerSentEvents.place(last.description)) }
            finishJoining(id, &state)
            return false
        }
        if isLate, let place { catchUps.yield(CatchUpReader(stream: stream, filter: filter, place: place)) }
    }

    /// Makes a reader live that has all events until this place. False where the store has more for it.
    func goLive(_ reader: CatchUpReader, from place: EventPlace) -> Bool {
        state.withLock { state in
            let id = ObjectIdentifier(reader.stream)
            return state.readers[id] == nil || goLive(id, from: place, &state)
        }
    }

    private func goLive(_ id: ObjectIdentifier, from place: EventPlace, _ state: inout State) -> Bool {
        guard let reader = state.readers[id], let last = state.last, place >= state.floor, place <= last else { return false }
        let missed = state.recent[state.recent.partitioningIndex { $0.place > place }...]
        guard missed.reduce(0, { $0 + $1.bytes.count }) <= Self.burst else { return false }
        for kept in missed where reader.filter.contains(kept.event) { reader.stream.send(kept.bytes(for: reader.filter)) }
        // An id alone moves the reader on past what its filter left out.
        if let end = missed.last, !reader.filter.contains(end.event) { reader.stream.send(ServerSentEvents.place(end.place.description)) }
        state.readers[id]?.place = last
        finishJoining(id, &state)
        return true
    }

    private func finishJoining(_ id: ObjectIdentifier, _ state: inout State) {
        state.readers[id]?.isLive = true
        sendUnstored(to: id, state.unstored[...], &state)
    }

    private func drop(_ id: ObjectIdentifier, _ state: inout State) {
        // One who has left is no slow reader.
        if state.readers.removeValue(forKey: id)?.stream.wasTooSlow == true { metrics.droppedReaders.add(1, "events") }
    }

    /// A comment, so that both sides notice when the other is gone.
    func beat() {
        state.withLock { state in
            for (id, reader) in state.readers where !reader.stream.send(ServerSentEvents.heartbeat) { drop(id, &state) }
            metrics.streams.set(Double(state.readers.count), "events")
        }
    }

    // MARK: - Events

    /// Begins with what the store holds.
    func begin(with page: EventPage) {
        state.withLock { state in
            state.recent = page.events.compactMap(Self.kept)
            state.last = page.end ?? .start
            state.floor = state.recent.first?.place ?? state.last ?? .start
            for (id, reader) in state.readers where reader.place == nil {
                state.readers[id]?.place = state.last
                reader.stream.send(ServerSentEvents.place((state.last ?? .start).description))
            }
        }
    }

    /// Sends each event to those that want it and don't have it.
    func publish(_ page: EventPage) {
        guard let end = page.end else { return }
        state.withLock { state in
            if let gap = page.gap {
                let notice = ServerSentEvents.gap(gap.rawValue, after: (state.last ?? .start).description)
                for (id, reader) in state.readers where reader.isLive {
                    reader.stream.send(notice)
                    // In a store that begins anew ids may begin anew, too.
                    state.readers[id]?.place = nil
                }
                (state.recent, state.floor) = ([], page.events.first.flatMap { EventPlace($0.id) } ?? end)
            }
            for kept in page.events.compactMap(Self.kept) { publish(kept, &state) }
            state.last = end
            // In steps, since each removal moves all that stays.
            if state.recent.count > Self.kept * 2 {
                let surplus = state.recent.count - Self.kept
                state.floor = state.recent[surplus - 1].place
                state.recent.removeFirst(surplus)
            }
        }
    }

    private func publish(_ kept: Kept, _ state: inout State) {
        state.recent.append(kept)
        let index = state.unstored.firstIndex { $0.event.uid == kept.event.uid }
        let number = index.map { state.unstored.remove(at: $0).number } ?? Int.max
        for (id, reader) in state.readers where reader.isLive && reader.place.map({ $0 < kept.place }) ?? true {
            state.readers[id]?.place = kept.place
            guard reader.filter.contains(kept.event) else { continue }
            // A reader that got it while the store was away needs only its id.
            let bytes = reader.unstored >= number ? ServerSentEvents.place(kept.place.description) : kept.bytes(for: reader.filter)
            if !reader.stream.send(bytes) { drop(id, &state) }
        }
    }

    /// Sends what the store did not take, without ids; each once, however often it was tried.
    func publish(unstored events: [Event]) {
        state.withLock { state in
            // The store may have taken them after all: only its answer was lost.
            let known = Set(state.unstored.compactMap(\.event.uid) + state.recent.compactMap(\.event.uid))
            let first = state.unstored.count
            for event in events where event.uid.map({ !known.contains($0) }) ?? false {
                state.numbers += 1
                state.unstored.append((state.numbers, event))
            }
            let new = state.unstored[first...]
            for (id, reader) in state.readers where reader.isLive { sendUnstored(to: id, new, &state) }
            if state.unstored.count > Self.unstoredLimit { state.unstored.removeFirst(state.unstored.count - Self.unstoredLimit) }
        }
    }

    private func sendUnstored(to id: ObjectIdentifier, _ events: ArraySlice<(number: Int, event: Event)>, _ state: inout State) {
        guard let reader = state.readers[id], let last = events.last else { return }
        state.readers[id]?.unstored = last.number
        for (number, event) in events where number > reader.unstored && reader.filter.contains(event) {
            if !reader.stream.send(Self.bytes(id: nil, reader.filter.shown(event))) { return drop(id, &state) }
        }
    }

    // MARK: - As text

    private static func kept(_ entry: StoredEvent) -> Kept? {
        EventPlace(entry.id).map { place in
            let (bytes, hidden) = (bytes(id: entry.id, entry.event), entry.event.withoutUserName)
            let plain = hidden == entry.event ? bytes : self.bytes(id: entry.id, hidden)
            return Kept(place: place, event: entry.event, bytes: bytes, plain: plain)
        }
    }

    static func bytes(id: String?, _ event: Event) -> [UInt8] {
        let data = String(decoding: ServerResponse.json(EventView(id: id, event)).body, as: UTF8.self)
        return ServerSentEvents.event(id: id, event.kind.rawValue, data)
    }
}

extension Array {
    /// The first index whose element is so, where all after it are, too.
    fileprivate func partitioningIndex(where isAfter: (Element) -> Bool) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = (low + high) / 2
            if isAfter(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
