import Glibc
package import Model
package import Platform
import Synchronization

/// Takes HAProxy's lines, one for each request or tunnel, from a Unix datagram socket and writes them into a file.
///
/// HAProxy never waits for it: lines that come while nobody listens are lost, and no connection is. They are counted by their numbers.
package struct AccessLog: Sendable {
    private let socket: String
    private let sharing: FileSharing
    private let file: String
    private let sizeLimit: Int
    private let quietSeconds: Double
    private let log: Log
    private let trouble = TroubleState()

    private final class TroubleState: Sendable {
        struct Trouble {
            var since: Timestamp
            var lastAt: Timestamp
            var lost = 0
            var error: String
        }
        private let value = Mutex<Trouble?>(nil)
        var now: Trouble? { value.withLock { $0 } }
        func change<Result: Sendable>(_ body: (inout Trouble?) -> Result) -> Result { value.withLock { body(&$0) } }
    }

    /// - Parameters:
    ///   - sharing: who may send lines.
    ///   - sizeLimit: bytes after which the file becomes `<file>.1` and a new one begins.
    ///   - quietSeconds: without a lost line, after which the trouble is over.
    package init(
        socket: String, sharing: FileSharing = .none, file: String, sizeLimit: Int = 64 << 20, quietSeconds: Double = 10, log: Log
    ) {
        (self.socket, self.sharing) = (socket, sharing)
        self.file = file
        self.sizeLimit = sizeLimit
        self.quietSeconds = quietSeconds
        self.log = log
    }

    /// Stands while lines are lost.
    package var alert: Alert? {
        guard let trouble = trouble.now else { return nil }
        return Alert(
            .accessLog, .warning, "the access log \(file) lacks lines: \(trouble.error)",
            remedy: trouble.error == Self.notReceived
                ? "they came while no controller listened, or faster than it reads: raise net.unix.max_dgram_qlen; the log says how many"
                : "make room on its disk, or set gateway.access_log to off; the log says how many lines are missing",
            since: trouble.since)
    }

    /// The word for lines that HAProxy has sent and that did not come.
    private static let notReceived = "not received"

    /// Runs until it is cancelled.
    package func run() async {
        await SocketWatch.run(socket) {
            try receive($0)
        } failed: { error in
            log.warning("the access log is not written", ["error": "\(error)"])
        }
    }

    private func receive(_ watch: SocketWatch) throws {
        let descriptor = try listen()
        defer { close(descriptor) }
        let node = watch.node
        var numbers = LineNumbers(tail: Files.tail(file, from: 0, limit: 256 << 10))
        var output = LineFile(path: file, sizeLimit: sizeLimit)
        defer { output.close() }
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = recv(descriptor, &buffer, buffer.count - 1, 0)
            if count < 0, errno == EAGAIN || errno == EINTR {
                // Somebody has taken the socket's file away: it is made anew.
                if watch.isCancelled || watch.node != node { return }
                output.tick()
                miss(numbers.missed(), &output)
                review(output, isLost: false)
                continue
            }
            guard count >= 0 else { throw failure("reading \(socket)") }
            var line = buffer.prefix(count)
            while line.last == 0x0A || line.last == 0 { line.removeLast() }
            // What it says of itself, such as the end of an old worker, is no connection's.
            guard line.starts(with: "time=".utf8) else {
                log.debug("HAProxy said", ["words": String(decoding: line.prefix(500), as: UTF8.self)])
                continue
            }
            numbers.add(line)
            line.append(0x0A)
            review(output, isLost: !output.write(Self.namingSlot(line)))
            miss(numbers.missed(), &output)
        }
    }

    /// A line in which the exit of a tunnel is named as that of a request: `exit=pool-us/s1`.
    static func namingSlot(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard let found = line.firstRange(of: Array(" exit=\(GatewayPool.tunnels)/pool-".utf8)),
            let end = line[found.upperBound...].firstIndex(of: UInt8(ascii: " "))
        else { return line }
        let server = String(decoding: line[(found.lowerBound + 6)..<end], as: UTF8.self)
        return line[...found.lowerBound] + Array("exit=\(RuntimeAnswers.slotName(of: server))".utf8) + line[end...]
    }

    /// Lines that HAProxy has sent and that never came.
    private func miss(_ count: Int, _ output: inout LineFile) {
        guard count > 0 else { return }
        let now = SystemClock.now()
        Metrics.accessLogLost.add(Double(count))
        log.warning("lines of the access log were not received", ["file": file, "lost": "\(count)"])
        trouble.change { $0 = .init(since: $0?.since ?? now, lastAt: now, lost: ($0?.lost ?? 0) + count, error: Self.notReceived) }
        _ = output.write(LineFile.lossLine(of: count, since: now.milliseconds, "not_received"))
    }

    /// Tells of the first line that is lost, and when none has been lost for a while.
    private func review(_ output: LineFile, isLost: Bool) {
        if isLost { Metrics.accessLogLost.add(1) }
        guard isLost || trouble.now != nil else { return }
        if isLost, let loss = output.loss { begin(String(cString: strerror(loss.error))) } else if output.loss == nil { end() }
    }

    /// A line could not be written.
    private func begin(_ error: String) {
        let now = SystemClock.now()
        let isNew = trouble.change { trouble in
            defer { trouble = .init(since: trouble?.since ?? now, lastAt: now, lost: (trouble?.lost ?? 0) + 1, error: error) }
            return trouble == nil
        }
        if isNew { log.warning("the access log can't be written; lines are lost", ["file": file, "error": error]) }
    }

    /// Lines can be written: the trouble ends where none was lost for long enough.
    private func end() {
        let now = SystemClock.now()
        let lost = trouble.change { trouble -> Int? in
            guard let old = trouble, abs(now - old.lastAt) >= quietSeconds else { return nil }
            trouble = nil
            return old.lost
        }
        if let lost { log.info("the access log is written again", ["file": file, "lost": "\(lost)"]) }
    }

    private func listen() throws -> Int32 {
        guard let name = SocketAddress(path: socket) else {
            throw HAProxyError(code: .unavailable, action: "listening on \(socket)", message: "the path is longer than 107 bytes")
        }
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure("opening a socket") }
        unlink(socket)
        guard name.bind(descriptor), sharing.share(socket: socket) else {
            defer { close(descriptor) }
            throw failure("listening on \(socket)")
        }
        SocketOptions.setDeadline(0.2, of: descriptor)
        SocketOptions.setReceiveBuffer(4 << 20, of: descriptor)
        return descriptor
    }

    private func failure(_ action: String) -> HAProxyError {
        HAProxyError(code: .unavailable, action: action, message: String(cString: strerror(errno)))
    }
}
