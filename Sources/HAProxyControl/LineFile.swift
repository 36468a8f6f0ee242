import Glibc
import Model
import Platform

/// A file of lines that others may rename, cut off or remove at any time, on a disk that may be full. Belongs to one thread.
///
/// Each line is written by one call and stands in the file whole or not at all. Those that can't be written are counted, and a line
/// tells how many were lost as soon as there is room again.
struct LineFile {
    struct Loss: Equatable {
        var count = 0
        /// When the first one was lost, in milliseconds since 1970.
        var since: Int64
        /// What the system said last.
        var error: Int32
    }

    private let path: String
    /// Bytes after which the file becomes `<path>.1` and a new one begins.
    private let sizeLimit: Int
    private var descriptor: Int32 = -1
    /// Of the file that is open.
    private var node: (device: dev_t, number: ino_t) = (0, 0)
    private var lookedAt: ContinuousClock.Instant?
    private var triedAt: ContinuousClock.Instant?
    /// True where half a line could not be taken back.
    private var isTorn = false
    /// Lines that the file does not tell of yet; nil where none is lost.
    private(set) var loss: Loss?

    init(path: String, sizeLimit: Int) {
        self.path = path
        self.sizeLimit = sizeLimit
    }

    mutating func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    /// Writes a line that has its end; false where it is lost.
    mutating func write(_ line: some Collection<UInt8>) -> Bool {
        tick()
        guard isDue, openAndReportLoss(), append(Array(line)) else {
            lose(line: true)
            return false
        }
        return true
    }

    /// What is to be done also while no line comes, a few times a second.
    mutating func tick() {
        let now = ContinuousClock.now
        if let lookedAt, now - lookedAt < .milliseconds(250) { return }
        lookedAt = now
        var found = stat()
        if descriptor >= 0, stat(path, &found) != 0 || found.st_dev != node.device || found.st_ino != node.number { close() }
        // An own turn is only for a file that is ours by its place.
        if descriptor >= 0, found.st_size > sizeLimit, rename(path, "\(path).1") == 0 { close() }
        if loss == nil { _ = open() } else if isDue { _ = openAndReportLoss() }
    }

    // MARK: - Writing

    /// After a failure it is tried again once a second: on a disk that is nearly full short lines would fit and long ones not.
    private var isDue: Bool { loss == nil || triedAt.map { .now - $0 >= .seconds(1) } ?? true }

    /// Opens the file and tells of lines that were lost; false where that can't be done.
    private mutating func openAndReportLoss() -> Bool {
        guard open() else {
            lose(line: false)
            return false
        }
        guard let loss else { return true }
        guard append(Self.lossLine(of: loss.count, since: loss.since, String(cString: strerror(loss.error)).replacing(" ", with: "_")))
        else {
            lose(line: false)
            return false
        }
        self.loss = nil
        return true
    }

    /// The line that stands for lines that are missing.
    static func lossLine(of count: Int, since: Int64, _ error: String) -> [UInt8] {
        let now = SystemClock.now().milliseconds
        return Array("time=\(seconds(now)) reason=lines_lost lost=\(count) since=\(seconds(since)) error=\(error)\n".utf8)
    }

    private mutating func open() -> Bool {
        guard descriptor < 0 else { return true }
        descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        var found = stat()
        guard descriptor >= 0, fstat(descriptor, &found) == 0 else { return false }
        node = (found.st_dev, found.st_ino)
        isTorn = false
        return true
    }

    private mutating func append(_ line: [UInt8]) -> Bool {
        let bytes = isTorn ? [0x0A] + line : line
        var count = -1
        repeat { count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } } while count < 0 && errno == EINTR
        guard count != bytes.count else {
            isTorn = false
            return true
        }
        if count > 0 {
            let end = lseek(descriptor, 0, SEEK_END)
            isTorn = ftruncate(descriptor, end - count) != 0
            errno = ENOSPC
        }
        return false
    }

    private mutating func lose(line: Bool) {
        let code = errno
        if isDue {
            triedAt = .now
            var fresh = loss ?? Loss(since: SystemClock.now().milliseconds, error: code)
            fresh.error = code
            loss = fresh
        }
        if line { loss?.count += 1 }
    }

    private static func seconds(_ milliseconds: Int64) -> String {
        let rest = String(milliseconds % 1000)
        return "\(milliseconds / 1000).\(String(repeating: "0", count: 3 - rest.count))\(rest)"
    }
}
