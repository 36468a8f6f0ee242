internal import Synchronization
internal import CLinux

/// The program that has started this proxy and may read the tunnel, which the proxy's own user may not. It is asked by a line, and answers
/// with a text that ends with a NUL.
package final class EntryPoint: Sendable {
    fileprivate let asked: Int32
    fileprivate let answering: Int32
    /// One question at a time, of whichever loop.
    fileprivate let isBusy = Atomic<Bool>(false)

    /// - Parameters:
    ///   - asked: a descriptor that lines are written to.
    ///   - answering: a descriptor that its answers are read from.
    package init(asked: Int32, answering: Int32) { (self.asked, self.answering) = (asked, answering) }
}

/// One question to the entry point.
final class TunnelQuestion: SocketOwner {
    private let entryPoint: EntryPoint
    private let loop: EventLoop
    private var done: ((ArraySlice<UInt8>) -> Void)?
    private var text = ByteBuffer()

    /// Milliseconds until it is asked again whether another loop is through, and for all together.
    private static let pause = 10
    private static let limit = 2000

    /// - Parameter done: called once, with nothing where there was no answer in time.
    init(_ entryPoint: EntryPoint, _ loop: EventLoop, _ done: @escaping (ArraySlice<UInt8>) -> Void) {
        (self.entryPoint, self.loop, self.done) = (entryPoint, loop, done)
    }

    func start() {
        loop.after(Self.limit) { [self] in end([]) }
        ask()
    }

    private func ask() {
        guard done != nil else { return }
        guard !entryPoint.isBusy.exchange(true, ordering: .acquiring) else {
            loop.after(Self.pause) { [self] in ask() }
            return
        }
        var line: UInt8 = 10
        guard write(entryPoint.asked, &line, 1) == 1 else { return end([]) }
        Socket(entryPoint.answering, on: loop, owner: self).want(.read)
    }

    /// An answer that comes too late is read too, so that nobody takes it for the next one.
    func isReady(_ socket: Socket, _ readiness: Readiness) {
        switch text.fill(from: socket, atMost: 16_384) {
        case .blocked: return
        case .moved: guard text.contents.last == 0 else { return }
        case .ended, .failed:
            _ = socket.release()
            return end([])
        }
        _ = socket.release()
        entryPoint.isBusy.store(false, ordering: .releasing)
        end(text.contents.dropLast())
    }

    private func end(_ answer: ArraySlice<UInt8>) {
        let done = done
        self.done = nil
        done?(answer)
    }
}
