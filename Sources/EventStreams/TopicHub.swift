package import HTTPServing
import Model
import Platform
import Synchronization

/// Sends the topics of `/api/stream/dashboard`: a snapshot of each first, then what changes. Many readers share one comparison.
///
/// A topic without readers costs nothing. Those who may not know proxy users' names have sources of their own.
package final class TopicHub: Sendable {
    private struct Channel: Hashable {
        let topic: Topic
        let showsNames: Bool
    }

    private struct Reader {
        let stream: BodyStream
        let channels: Set<Channel>
    }

    private struct State {
        var sources: [Channel: any TopicSource] = [:]
        var items: [Channel: [String: String]] = [:]
        var readers: [ObjectIdentifier: Reader] = [:]
    }

    private static let readerLimit = 1000
    /// Bytes that wait for one reader: the snapshots of a large installation come at once.
    private static let limit = 16 << 20
    /// Looks for changes in a second, and seconds between two beats.
    private static let looks = 4
    private static let beatSeconds = 5
    private static let beat = ServerSentEvents.beat(seconds: beatSeconds)
    private let metrics: StreamMetrics
    private let state = Mutex(State())

    init(metrics: StreamMetrics) { self.metrics = metrics }

    package var readers: Int { state.withLock { $0.readers.count } }

    /// Whether anybody reads a topic.
    func isFollowed(_ topic: Topic) -> Bool {
        state.withLock { $0.readers.values.contains { reader in reader.channels.contains { $0.topic == topic } } }
    }

    /// Says where the items of a topic come from.
    /// - Parameter showsNames: whether the source is for those who may know proxy users' names.
    package func add(_ topic: Topic, showsNames: Bool, _ source: any TopicSource) {
        state.withLock { $0.sources[Channel(topic: topic, showsNames: showsNames)] = source }
    }

    /// Opens a stream that begins with a snapshot of each topic.
    /// - Parameter showsNames: whether the reader may know proxy users' names in a topic.
    /// - Throws: `APIProblem` where there are too many readers.
    package func open(_ topics: Set<Topic>, showsNames: (Topic) -> Bool) throws -> ServerResponse {
        let stream = BodyStream(limit: Self.limit, closingMessage: ServerSentEvents.dropped)
        let channels = Set(topics.map { Channel(topic: $0, showsNames: showsNames($0)) })
        try state.withLock { state in
            if state.readers.count >= Self.readerLimit { state.readers = state.readers.filter { !$0.value.stream.hasEnded } }
            guard state.readers.count < Self.readerLimit else { throw ServerSentEvents.tooManyReaders }
            stream.send(ServerSentEvents.retry + Self.beat)
            for channel in channels.sorted(by: { $0.topic.rawValue < $1.topic.rawValue }) {
                refresh(channel, &state)
                stream.send(ServerSentEvents.event(channel.topic.rawValue, "{\"all\":\(Self.object(state.items[channel] ?? [:]))}"))
            }
            state.readers[ObjectIdentifier(stream)] = Reader(stream: stream, channels: channels)
            metrics.streams.set(Double(state.readers.count), "dashboard")
        }
        return ServerSentEvents.response(stream)
    }

    /// Looks for changes four times a second until it is cancelled.
    func run() async {
        var count = 0
        while (try? await Task.sleep(for: .milliseconds(1000 / Self.looks))) != nil {
            count += 1
            let isBeat = count % (Self.beatSeconds * Self.looks) == 0
            state.withLock { state in
                guard !state.readers.isEmpty else { return }
                let followed = state.readers.values.reduce(into: Set()) { $0.formUnion($1.channels) }
                for channel in followed where count % channel.topic.beats == 0 { refresh(channel, &state) }
                if isBeat { beat(&state) }
            }
        }
    }

    /// Takes a topic's items anew, and sends its readers what has changed.
    private func refresh(_ channel: Channel, _ state: inout State) {
        let last = state.items[channel] ?? [:]
        guard let items = state.sources[channel]?.items(after: last) else { return }
        state.items[channel] = items
        let changed = items.filter { last[$0.key] != $0.value }
        let removed = last.keys.filter { items[$0] == nil }.sorted()
        guard !changed.isEmpty || !removed.isEmpty else { return }
        let list = removed.map(JSONText.quoted).joined(separator: ",")
        let bytes = ServerSentEvents.event(channel.topic.rawValue, "{\"set\":\(Self.object(changed)),\"removed\":[\(list)]}")
        for (id, reader) in state.readers where reader.channels.contains(channel) && !reader.stream.send(bytes) { drop(id, &state) }
    }

    /// Shows both sides that the other is there. A browser is told of no comment, so this is an event.
    private func beat(_ state: inout State) {
        for (id, reader) in state.readers where !reader.stream.send(Self.beat) { drop(id, &state) }
        metrics.streams.set(Double(state.readers.count), "dashboard")
    }

    private func drop(_ id: ObjectIdentifier, _ state: inout State) {
        if state.readers.removeValue(forKey: id)?.stream.wasTooSlow == true { metrics.droppedReaders.add(1, "dashboard") }
    }

    /// In the order of the ids, so that what comes later stands later.
    private static func object(_ items: [String: String]) -> String {
        "{" + items.sorted { $0.key < $1.key }.map { "\(JSONText.quoted($0.key)):\($0.value)" }.joined(separator: ",") + "}"
    }
}
