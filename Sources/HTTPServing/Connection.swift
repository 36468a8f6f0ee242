import Synchronization

/// A client's connection: its deadline, and its last head.
final class Connection: Sendable {
    let deadline: ConnectionDeadline
    /// The client's, in its numbers.
    let address: String
    /// Who the connection counts for: the address, or its network.
    let holder: String
    /// True for one beyond the limits.
    let isSurplus: Bool
    private let head = Mutex(HeadCache())
    /// In milliseconds of `ConnectionDeadline.now`; the largest number while a request is under way.
    private let idle = Atomic<Int64>(ConnectionDeadline.now)
    private let hasLeft = Atomic(false)

    init(descriptor: Int32, address: String, holder: String, isSurplus: Bool, seconds: Double) {
        (self.address, self.holder, self.isSurplus) = (address, holder, isSurplus)
        deadline = ConnectionDeadline(descriptor: descriptor, seconds: seconds)
    }

    /// A request whose target is there, and nothing else yet.
    func begin(target: UnsafeRawBufferPointer) -> Exchange {
        idle.store(.max, ordering: .relaxed)
        return Exchange(
            target: head.withLock { $0.changedTarget(target) }, targetEnd: UInt(bitPattern: target.baseAddress) + UInt(target.count))
    }

    /// The head of that request.
    func head(target: [UInt8]?, text: HeadText, limit: Int) -> RequestHead {
        head.withLock { $0.read(target: target, text: text, limit: limit) }
    }

    /// Its request is done with.
    func finish(seconds: Double) {
        deadline.set(seconds)
        idle.store(ConnectionDeadline.now, ordering: .relaxed)
    }

    var idleSince: Int64 { idle.load(ordering: .relaxed) }
    /// True where nothing of a request has come since then, as far as libmicrohttpd tells: half of a request's line is nothing.
    func isIdle(since time: Int64) -> Bool { idleSince <= time && !hasLeft.load(ordering: .relaxed) }

    /// False where it has left already.
    func leave() -> Bool { !hasLeft.exchange(true, ordering: .relaxed) }
}
