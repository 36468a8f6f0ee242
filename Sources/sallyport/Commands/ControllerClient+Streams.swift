import FoundationEssentials
import Glibc
import HTTPTransport
import Model
import Synchronization

extension ControllerClient {
    /// Seconds without a byte, heartbeats included, after which a stream counts as broken.
    private static let silence = 45.0

    /// Follows a stream of the API for good, and comes back after each break, there where it was.
    ///
    /// - Parameters:
    ///   - last: the id to go on after; nil to begin with what comes.
    ///   - show: called for each event, in order; false ends it.
    ///   - note: told when the stream breaks and when it is there again.
    func follow(
        _ path: String, after last: String?, show: @escaping @Sendable (ReceivedEvent) -> Bool, note: @Sendable (String) -> Void
    ) async throws {
        let parser = Mutex(EventParser(lastID: last))
        let isOver = Mutex(false)
        var pause = 0.5
        var hasAnswered = false
        while !isOver.withLock({ $0 }) {
            var request = HTTPRequest("GET", url + path, headers: [("X-API-Key", key.revealed), ("Accept", "text/event-stream")])
            if let last = parser.withLock({ $0.lastID }) { request.headers.append(("Last-Event-ID", last)) }
            request.deadline = 0
            request.silenceDeadline = Self.silence
            // A block that a break has cut off is sent again.
            parser.withLock { $0 = EventParser(lastID: $0.lastID) }
            let came = Mutex(false)
            var trouble = "the stream has ended"
            do {
                let response = try await client.send(request) { bytes in
                    came.withLock { $0 = true }
                    guard let events = parser.withLock({ $0.read(bytes) }) else { return false }
                    for event in events where !show(event) {
                        isOver.withLock { $0 = true }
                        return false
                    }
                    return true
                }
                if response.status != 200, let refusal = refusal(of: response, isFirst: !hasAnswered) { throw refusal }
                if response.status != 200 { trouble = "status \(response.status)" }
            } catch let error as TransportError {
                if !hasAnswered, error.code == .connectFailed { throw UnreachableError(url: url) }
                trouble = "\(error)"
            }
            if came.withLock({ $0 }) { (hasAnswered, pause) = (true, 0.5) }
            guard !isOver.withLock({ $0 }) else { return }
            note("\(trouble); trying again")
            try await Task.sleep(for: .seconds(pause))
            pause = min(10, pause * 2)
        }
    }

    /// What is to end the following: a mistake of ours stays one, and a server that is busy or away may come back.
    private func refusal(of response: HTTPResponse, isFirst: Bool) -> APIError? {
        guard isFirst || (400..<500).contains(response.status), response.status != 429 else { return nil }
        return refusal(response)
    }
}

/// Lines on standard output, each there at once, also in a pipe.
enum Output {
    /// False where nobody reads any more.
    static func line(_ text: String) -> Bool {
        var bytes = Array("\(text)\n".utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            bytes = bytes.dropFirst(count)
        }
        return true
    }

    static func note(_ text: String) {
        let bytes = Array("sallyport: \(text)\n".utf8)
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
