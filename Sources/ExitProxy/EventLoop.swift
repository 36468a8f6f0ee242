internal import CLinux

/// Calls owners of sockets that are ready, and timers that are due. One thread, its own sockets.
final class EventLoop {
    private let epoll: Int32
    private var sockets: [Socket?] = []
    private var closing: [Int32] = []
    private var timers = TimerHeap()
    /// Milliseconds of a clock that does not go back; of the present round.
    private(set) var now = EventLoop.milliseconds()

    init() throws(Failure) {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw Failure("epoll_create1") }
    }

    deinit { close(epoll) }

    func run() -> Never {
        var events = [epoll_event](repeating: epoll_event(), count: 256)
        while true { round(&events, atMost: 1000) }
    }

    /// One round: waits for at most so many milliseconds, then calls whoever is due.
    func round(_ events: inout [epoll_event], atMost limit: Int) {
        let wait = timers.next.map { min(limit, max(0, $0 - Self.milliseconds())) } ?? limit
        let count = epoll_wait(epoll, &events, Int32(events.count), Int32(wait))
        now = Self.milliseconds()
        for event in events.prefix(Int(max(0, count))) {
            let socket = sockets[Int(event.data.fd)]
            if let socket { socket.owner?.isReady(socket, Readiness(rawValue: event.events)) }
        }
        while let timer = timers.takeDue(now) { timer.fire() }
        for descriptor in closing { close(descriptor) }
        closing.removeAll(keepingCapacity: true)
    }

    /// Calls the action after so many milliseconds, unless the timer is cancelled.
    @discardableResult func after(_ milliseconds: Int, _ action: @escaping () -> Void) -> Timer {
        let timer = Timer(at: now + milliseconds, action)
        timers.insert(timer)
        return timer
    }

    /// Calls the action at the end of this round.
    func soon(_ action: @escaping () -> Void) { after(0, action) }

    // MARK: - For sockets

    func add(_ socket: Socket) {
        let place = Int(socket.descriptor)
        while sockets.count <= place { sockets.append(nil) }
        sockets[place] = socket
    }

    func watch(_ socket: Socket, from old: Readiness, to new: Readiness) {
        var event = epoll_event(events: new.rawValue, data: epoll_data(fd: socket.descriptor))
        let operation = new.isEmpty ? EPOLL_CTL_DEL : old.isEmpty ? EPOLL_CTL_ADD : EPOLL_CTL_MOD
        epoll_ctl(epoll, operation, socket.descriptor, &event)
    }

    func forget(_ socket: Socket) { sockets[Int(socket.descriptor)] = nil }

    func remove(_ socket: Socket) {
        forget(socket)
        closing.append(socket.descriptor)
    }

    private static func milliseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }
}

/// An action at a time.
final class Timer {
    let time: Int
    private var action: (() -> Void)?

    init(at time: Int, _ action: @escaping () -> Void) {
        self.time = time
        self.action = action
    }

    func cancel() { action = nil }

    func fire() {
        let action = action
        self.action = nil
        action?()
    }
}

/// Timers, the earliest first. A cancelled one stays until its time.
struct TimerHeap {
    private var heap: [Timer] = []

    var next: Int? { heap.first?.time }

    mutating func insert(_ timer: Timer) {
        heap.append(timer)
        var place = heap.count - 1
        while place > 0, heap[place].time < heap[(place - 1) / 2].time {
            heap.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    mutating func takeDue(_ now: Int) -> Timer? {
        guard let first = heap.first, first.time <= now else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        sink()
        return first
    }

    private mutating func sink() {
        var place = 0
        while true {
            let children = (2 * place + 1..<2 * place + 3).filter { $0 < heap.count }
            guard let least = children.min(by: { heap[$0].time < heap[$1].time }), heap[least].time < heap[place].time else { return }
            heap.swapAt(place, least)
            place = least
        }
    }
}
