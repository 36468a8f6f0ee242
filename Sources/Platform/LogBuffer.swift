import Dispatch
import Glibc
import Model
import Synchronization

/// Lines on their way to a descriptor. Whoever logs writes into a file, which takes or refuses a line at once; to a pipe, a terminal or a
/// socket a thread of its own writes, so that nobody who logs waits for a reader that does not read. Thread-safe; all lines leave in
/// the order of their coming, many with one `write(2)`.
///
/// What nobody takes is lost beyond a limit, and counted; the count is told where the lines would have been, as soon as something can be
/// written again.
final class LogBuffer: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var time = Timestamp(milliseconds: -1)
        var timeText = ""
        /// True while the queue is to write, a moment later and at once, what is here then.
        var isPromised = false
        var isQueued = false
        /// Lines that were lost before those that wait, since a write failed, and behind them, since too much waits.
        var lostBefore = 0
        var lostBehind = 0
        /// Batches that were begun, and who waits for the end of one.
        var begun = 0
        var waiting: [(batch: Int, done: DispatchSemaphore)] = []
        /// Nobody waits for a writer that was seen to be stuck, until then.
        var impatientUntil: ContinuousClock.Instant?
    }

    /// Bytes that wait at most.
    private static let limit = 256 << 10
    /// What a pipe takes without mixing it with what others write (PIPE_BUF).
    private static let pipe = 4096
    /// Seconds that a line waits to be written, and for which none waits after one has waited in vain.
    private static let patience = 0.5
    private static let impatience = 10.0

    private let descriptor: Int32
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "sallyport.log")
    /// Held while something is written, and taken before the state's lock.
    private let writing = Mutex(())
    private let isFile: Bool
    /// How a line that tells of lost ones is written.
    private let mark: @Sendable (_ lost: Int) -> String
    /// Bytes of one write; of a file, all.
    private let chunk: Int

    init(descriptor: Int32, mark: @escaping @Sendable (_ lost: Int) -> String) {
        self.descriptor = descriptor
        self.mark = mark
        var kind = stat()
        isFile = fstat(descriptor, &kind) == 0 && kind.st_mode & S_IFMT == S_IFREG
        chunk = isFile ? .max : Self.pipe
    }

    /// Adds a line that may be written a moment later; the body gets the time as text.
    func add(at time: Timestamp, _ body: (_ time: String, _ bytes: inout [UInt8]) -> Void) {
        let isFirst = state.withLock { state in
            guard state.bytes.count < Self.limit else {
                state.lostBehind += 1
                return false
            }
            let isFirst = !state.isPromised
            state.isPromised = true
            if state.time != time { (state.time, state.timeText) = (time, time.description) }
            body(state.timeText, &state.bytes)
            return isFirst
        }
        guard isFirst else { return }
        queue.asyncAfter(deadline: .now() + .milliseconds(50)) { [self] in
            state.withLock { $0.isPromised = false }
            writePending()
        }
    }

    /// Writes a line behind all that was added before, and returns when it is written, so that a crash loses none. Where the writer is
    /// stuck it returns after half a second, and then at once for a while.
    func write(_ line: String) {
        state.withLock { state in
            if state.bytes.count < Self.limit { state.bytes.append(contentsOf: line.utf8) } else { state.lostBehind += 1 }
        }
        wait(seconds: Self.patience)
    }

    /// Waits until what was added is written, for at most this long.
    func flush(seconds: Double = 1) { wait(seconds: seconds) }

    private func wait(seconds: Double) {
        if isFile { return writePending() }
        let written = DispatchSemaphore(value: 0)
        let (mayWait, isFirst) = state.withLock { state in
            let mayWait = state.impatientUntil.map { $0 <= .now } ?? true
            // The batch that is begun next has all that is here now.
            if mayWait { state.waiting.append((state.begun + 1, written)) }
            defer { state.isQueued = true }
            return (mayWait, !state.isQueued)
        }
        if isFirst { queue.async { [self] in writePending() } }
        guard mayWait, written.wait(timeout: .now() + seconds) == .timedOut else { return }
        state.withLock { state in
            state.waiting.removeAll { $0.done === written }
            state.impatientUntil = .now + .seconds(Self.impatience)
        }
    }

    // MARK: - Writing

    private func writePending() { writing.withLock { _ in writeBatch() } }

    private func writeBatch() {
        let (before, bytes, behind) = state.withLock { state in
            defer {
                (state.bytes, state.lostBefore, state.lostBehind) = ([], 0, 0)
                state.isQueued = false
                state.begun += 1
            }
            return (state.lostBefore, state.bytes, state.lostBehind)
        }
        var lost = writeLoss(before)
        lost += bytes.withUnsafeBytes(write)
        lost += lost == 0 ? writeLoss(behind) : behind
        state.withLock { state in
            state.lostBefore += lost
            for waiter in state.waiting where waiter.batch <= state.begun { waiter.done.signal() }
            state.waiting.removeAll { $0.batch <= state.begun }
        }
    }

    /// Writes that so many lines were lost; returns how many of them that did not report.
    private func writeLoss(_ lost: Int) -> Int {
        guard lost > 0 else { return 0 }
        return Array(mark(lost).utf8).withUnsafeBytes(write) == 0 ? 0 : lost
    }

    /// Writes whole lines; returns how many lines could not be written.
    private func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        var rest = bytes[...]
        while !rest.isEmpty {
            var part = rest.prefix(chunk)
            if part.count < rest.count, let end = part.lastIndex(of: 0x0A) { part = part[...end] }
            guard writeAll(UnsafeRawBufferPointer(rebasing: part)) else { return rest.count { $0 == 0x0A } }
            rest = rest[part.endIndex...]
        }
        return 0
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var rest = bytes[...]
        while let start = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
            let count = Glibc.write(descriptor, start, rest.count)
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if count < 0, errno == EAGAIN {
                // Somebody who shares the descriptor has made it non-blocking.
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&ready, 1, 1_000)
            } else if count == 0 || errno != EINTR {
                return false
            }
        }
        return true
    }
}
