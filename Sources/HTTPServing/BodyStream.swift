import Synchronization

/// A body that comes piece by piece, for as long as both sides want. Thread-safe.
///
/// What the client has not taken yet is kept up to a limit. A client that is slower than that gets one last piece, which tells
/// it so, and the end.
package final class BodyStream: Sendable {
    private struct State {
        /// Those from `next` on wait; the ones before have left, and are removed many at once.
        var pieces: [[UInt8]] = []
        var next = 0
        /// Bytes of the next piece that have left, and those of all that wait.
        var sent = 0
        var kept = 0
        var isOver = false
        var wasTooSlow = false
        var hasEnded = false
        /// Set while the connection is suspended for want of something to send.
        var wake: (@Sendable () -> Void)?
        var onEnd: (@Sendable () -> Void)?
        /// Whether the client has ended its side; while the connection is open.
        var peerHasLeft: (@Sendable () -> Bool)?

        mutating func append(_ piece: [UInt8]) {
            // Nothing to send is no piece: a read of it would look like the end of what there is.
            if piece.isEmpty { return }
            pieces.append(piece)
            kept += piece.count
        }

        mutating func keepOnlyBegun() {
            pieces = sent > 0 ? [pieces[next]] : []
            next = 0
            kept = pieces.first.map(\.count) ?? 0
        }

        mutating func dropNext() {
            kept -= pieces[next].count
            sent = 0
            pieces[next] = []
            next += 1
            guard next >= 64, next * 2 >= pieces.count else { return }
            pieces.removeFirst(next)
            next = 0
        }

        mutating func clear() {
            pieces = []
            (next, sent, kept) = (0, 0, 0)
        }
    }

    private let state: Mutex<State>
    private let limit: Int
    private let closingMessage: [UInt8]

    /// - Parameters:
    ///   - limit: bytes that are kept for a client that does not take them.
    ///   - closingMessage: sent last to a client that was too slow.
    package init(limit: Int = 256 << 10, closingMessage: [UInt8] = [], onEnd: (@Sendable () -> Void)? = nil) {
        self.limit = limit
        self.closingMessage = closingMessage
        state = Mutex(State(onEnd: onEnd))
    }

    /// Adds a piece. False when the stream is over, or ends now because its client is too slow.
    @discardableResult
    package func send(_ piece: [UInt8]) -> Bool {
        let (goesOn, wake) = state.withLock { state in
            guard !state.isOver, !state.hasEnded else { return (false, nil as (@Sendable () -> Void)?) }
            let goesOn = state.kept + piece.count <= limit
            if goesOn { state.append(piece) } else { endTooSlow(&state) }
            defer { state.wake = nil }
            return (goesOn, state.wake)
        }
        wake?()
        return goesOn
    }

    /// Ends the stream with its closing message, as for a client that is too slow.
    package func drop() {
        let wake = state.withLock { state in
            if !state.isOver, !state.hasEnded { endTooSlow(&state) }
            defer { state.wake = nil }
            return state.wake
        }
        wake?()
    }

    private func endTooSlow(_ state: inout State) {
        // A piece that has begun to leave is finished: half of one would be no text of its kind.
        state.keepOnlyBegun()
        state.append(closingMessage)
        state.isOver = true
        state.wasTooSlow = true
    }

    /// True where its client got the closing message in place of what it did not take.
    package var wasTooSlow: Bool { state.withLock { $0.wasTooSlow } }

    /// Bytes that the client has not taken yet.
    package var waiting: Int { state.withLock { $0.kept } }

    /// Ends the stream when what was sent before has left.
    package func finish() {
        let wake = state.withLock { state in
            state.isOver = true
            defer { state.wake = nil }
            return state.wake
        }
        wake?()
    }

    /// Ends the stream of a client that has hung up: what is not sent to shows no end by itself. False where it goes on.
    @discardableResult
    package func endIfLeft() -> Bool {
        // Under the lock, so that the connection is open.
        let hasLeft = state.withLock { $0.hasEnded || $0.peerHasLeft?() == true }
        if hasLeft { finish() }
        return hasLeft
    }

    /// True once the client is gone, or has everything.
    package var hasEnded: Bool { state.withLock { $0.hasEnded } }

    // MARK: - The server's side

    func watch(_ peerHasLeft: @escaping @Sendable () -> Bool) { state.withLock { $0.peerHasLeft = peerHasLeft } }

    enum Piece {
        case bytes(Int)
        /// The connection was suspended, and will be woken.
        case nothingYet
        case end
    }

    /// Copies what there is into a buffer. Where there is nothing yet, `suspend` is called and gives what will wake the connection;
    /// nil from it ends the stream.
    func read(into buffer: UnsafeMutableRawBufferPointer, suspend: () -> (@Sendable () -> Void)?) -> Piece {
        state.withLock { state in
            var count = 0
            while state.next < state.pieces.count, count < buffer.count {
                let size = state.pieces[state.next].count
                let part = min(buffer.count - count, size - state.sent)
                state.pieces[state.next].withUnsafeBytes { bytes in
                    UnsafeMutableRawBufferPointer(rebasing: buffer[count..<count + part]).copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: bytes[state.sent..<state.sent + part]))
                }
                count += part
                state.sent += part
                if state.sent == size { state.dropNext() }
            }
            if count > 0 { return .bytes(count) }
            if state.isOver { return .end }
            // Under the lock: nobody may wake a connection that is not suspended yet.
            guard let wake = suspend() else { return .end }
            state.wake = wake
            return .nothingYet
        }
    }

    /// The connection is gone, or everything has left.
    func end() {
        let onEnd = state.withLock { state in
            state.hasEnded = true
            state.isOver = true
            state.clear()
            state.peerHasLeft = nil
            defer { state.onEnd = nil }
            return state.onEnd
        }
        onEnd?()
    }
}
