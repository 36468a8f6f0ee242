import HTTPServing
import Platform
import Synchronization

/// Sends what happens to every reader of one stream, as server-sent events (WHATWG HTML, section 9.2).
final class StreamHub: Sendable {
    struct Item: Sendable {
        /// Grows within one process; its first part tells processes apart.
        var id: String
        var event: String
        /// One line of JSON.
        var data: String

        var bytes: [UInt8] { Array("id: \(id)\nevent: \(event)\ndata: \(data)\n\n".utf8) }
    }

    private struct State {
        var recent: [Item] = []
        var next = 1
        var readers: [ObjectIdentifier: BodyStream] = [:]
        var dropped = 0
    }

    /// Items that a reader who comes back can still get.
    private static let kept = 1000
    private static let readerLimit = 5000
    private let name: String
    private let process = Digest.randomHex(bytes: 4)
    private let metrics: APIMetrics
    private let state = Mutex(State())

    init(_ name: String, metrics: APIMetrics) {
        self.name = name
        self.metrics = metrics
    }

    var readers: Int { state.withLock { $0.readers.count } }

    /// Tells everybody.
    func publish(_ event: String, _ data: String) {
        state.withLock { state in
            let item = Item(id: "\(process)-\(state.next)", event: event, data: data)
            state.next += 1
            state.recent.append(item)
            if state.recent.count > Self.kept { state.recent.removeFirst(state.recent.count - Self.kept) }
            send(item.bytes, &state)
        }
    }

    /// A comment, so that both sides notice when the other is gone.
    func beat() { state.withLock { send(Array(": heartbeat\n\n".utf8), &$0) } }

    private func send(_ bytes: [UInt8], _ state: inout State) {
        for (id, reader) in state.readers where !reader.send(bytes) {
            state.readers[id] = nil
            state.dropped += 1
            metrics.droppedReaders.add(1, name)
        }
        metrics.streams.set(Double(state.readers.count), name)
    }

    /// A new reader. One that tells the last id that it has seen gets what came after; where that is not known here, or where it
    /// is new, it gets `whole` first, which stands for all that was before.
    func join(after last: String?, whole: () -> [(event: String, data: String)]) throws -> ServerResponse {
        let farewell = Array("event: dropped\ndata: {\"reason\":\"too slow\"}\n\n".utf8)
        let stream = BodyStream(farewell: farewell)
        let isFull = state.withLock { state in
            // Those that are gone show when something is sent; a full house looks first.
            if state.readers.count >= Self.readerLimit { state.readers = state.readers.filter { !$0.value.hasEnded } }
            guard state.readers.count < Self.readerLimit else { return true }
            stream.send(Array("retry: 2000\n\n".utf8))
            if let last, let place = state.recent.firstIndex(where: { $0.id == last }) {
                for item in state.recent[(place + 1)...] { stream.send(item.bytes) }
            } else if let last, last == "\(process)-\(state.next - 1)" {
                // Nothing has happened since.
            } else {
                let id = "\(process)-\(state.next - 1)"
                for (event, data) in whole() { stream.send(Item(id: id, event: event, data: data).bytes) }
            }
            state.readers[ObjectIdentifier(stream)] = stream
            metrics.streams.set(Double(state.readers.count), name)
            return false
        }
        if isFull {
            throw APIProblem(
                status: 503, code: "too_many_readers", message: "this stream has all the readers it can have",
                headers: [("Retry-After", "10")])
        }
        var response = ServerResponse(
            status: 200, headers: [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"), ("X-Accel-Buffering", "no")])
        response.stream = stream
        return response
    }
}
