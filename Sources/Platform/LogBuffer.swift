import Dispatch
import Glibc
import Model
import Synchronization

/// Lines that may be written a moment later, many with one `write(2)`. Thread-safe; all lines leave in the order of their coming.
///
/// A crash of the process loses what came in the last twentieth of a second, so only the lines of requests go this way.
final class LogBuffer: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var time = Timestamp(milliseconds: -1)
        var timeText = ""
        /// True while the queue is to write what is here then.
        var isPromised = false
    }

    /// Bytes that are kept; who adds more writes them, so that a reader who doesn't take them holds us up and fills no memory.
    private static let limit = 64 << 10
    /// What a pipe takes without mixing it with what others write (PIPE_BUF).
    private static let pipe = 4096
    private static let queue = DispatchQueue(label: "sallyport.log")

    private let descriptor: Int32
    private let state = Mutex(State())
    /// Held while something is written, and taken before the state's lock.
    private let turn = Mutex(())

    /// Bytes of one write; of a file, all.
    private let chunk: Int

    init(descriptor: Int32) {
        self.descriptor = descriptor
        var kind = stat()
        chunk = fstat(descriptor, &kind) == 0 && kind.st_mode & S_IFMT == S_IFREG ? .max : Self.pipe
    }

    /// Adds a line; the body gets the time as text.
    func add(at time: Timestamp, _ body: (_ time: String, _ bytes: inout [UInt8]) -> Void) {
        let (isFirst, isFull) = state.withLock { state in
            let isFirst = !state.isPromised
            state.isPromised = true
            if state.bytes.isEmpty { state.bytes.reserveCapacity(Self.limit + Self.pipe) }
            if state.time != time { (state.time, state.timeText) = (time, time.description) }
            body(state.timeText, &state.bytes)
            return (isFirst, state.bytes.count >= Self.limit)
        }
        if isFull { flush() }
        guard isFirst else { return }
        Self.queue.asyncAfter(deadline: .now() + .milliseconds(50)) { [self] in
            state.withLock { $0.isPromised = false }
            flush()
        }
    }

    /// Writes what was added.
    func flush() { turn.withLock { _ in writePending() } }

    /// Writes a line at once, behind all that was added before.
    func write(_ line: String) {
        var line = line
        turn.withLock { _ in
            writePending()
            line.withUTF8 { writeAll(UnsafeRawBufferPointer($0)) }
        }
    }

    private func writePending() {
        let bytes = state.withLock { state in
            defer { state.bytes = [] }
            return state.bytes
        }
        bytes.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                var part = rest.prefix(chunk)
                if part.count < rest.count, let end = part.lastIndex(of: 0x0A) { part = part[...end] }
                writeAll(UnsafeRawBufferPointer(rebasing: part))
                rest = rest[part.endIndex...]
            }
        }
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while let start = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
            let count = Glibc.write(descriptor, start, rest.count)
            if count > 0 { rest = rest.dropFirst(count) } else if count == 0 || errno != EINTR { return }
        }
    }
}
