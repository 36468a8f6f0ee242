import Synchronization

/// A client's connection: its clock, and the head that it said last.
final class Connection: Sendable {
    let clock: ConnectionClock
    /// The client's, in its numbers.
    let address: String
    private let head = Mutex(KeptHead())

    init(descriptor: Int32, address: String, seconds: Double) {
        clock = ConnectionClock(descriptor: descriptor, seconds: seconds)
        self.address = address
    }

    /// A request whose target is there, and nothing else yet.
    func begin(target: UnsafeRawBufferPointer) -> Exchange { Exchange(target: head.withLock { $0.news(target) }) }

    /// The head of that request.
    func head(target: [UInt8]?, text: HeadText, limit: Int) -> RequestHead {
        head.withLock { $0.read(target: target, text: text, limit: limit) }
    }
}
