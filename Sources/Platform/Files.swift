import FoundationEssentials
package import Glibc

/// A file operation that the system refused.
package struct FileError: Error, CustomStringConvertible {
    package var action: String
    package var path: String
    package var code: Int32
    package var description: String { "\(action) \(path): \(String(cString: strerror(code)))" }
}

/// Files of our own: state, keys, configuration.
package enum Files {
    /// Replaces a file at once: a reader sees the old or the new content, never a part, also after a power cut.
    /// - Parameters:
    ///   - group: of the file; nil for that of the process, or of the folder where that hands its own on.
    ///   - isDurable: false doesn't wait for the disk; a power cut can then leave the old content, or nothing.
    package static func write(_ text: String, to path: String, mode: mode_t, group: gid_t? = nil, isDurable: Bool = true) throws {
        let temporary = try writeBeside(path, text, mode: mode, group: group, isDurable: isDurable)
        guard rename(temporary, path) != 0 else { return }
        let code = errno
        unlink(temporary)
        throw FileError(action: "writing", path: path, code: code)
    }

    /// Makes a file at once, unless there is one.
    package static func create(_ text: String, at path: String, mode: mode_t) throws {
        let temporary = try writeBeside(path, text, mode: mode, group: nil, isDurable: true)
        defer { unlink(temporary) }
        guard link(temporary, path) == 0 || errno == EEXIST else { throw FileError(action: "writing", path: path, code: errno) }
    }

    private static func writeBeside(_ path: String, _ text: String, mode: mode_t, group: gid_t?, isDurable: Bool) throws -> String {
        let temporary = "\(path).new-\(getpid())-\(Digest.randomHex(bytes: 4))"
        // For nobody else until it has its group.
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0o700)
        guard descriptor >= 0 else { throw FileError(action: "writing", path: path, code: errno) }
        var code = group.map { fchown(descriptor, uid_t.max, $0) } ?? 0 == 0 ? 0 : errno
        // The process's umask must not take away what the caller asked for.
        if code == 0 { code = fchmod(descriptor, mode) == 0 ? write(text, to: descriptor) : errno }
        if code == 0, isDurable, fsync(descriptor) != 0 { code = errno }
        close(descriptor)
        guard code == 0 else {
            unlink(temporary)
            throw FileError(action: "writing", path: path, code: code)
        }
        return temporary
    }

    /// All of it; the error's number, or 0.
    private static func write(_ text: String, to descriptor: Int32) -> Int32 {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 { bytes = bytes.dropFirst(count) } else if errno != EINTR { return errno }
        }
        return 0
    }

    /// The whole text of a file of at most `limit` bytes.
    package static func read(_ path: String, limit: Int = 1 << 20) throws -> String {
        String(decoding: try readBytes(path, limit: limit), as: UTF8.self)
    }

    static func readBytes(_ path: String, limit: Int) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(action: "reading", path: path, code: errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError(action: "reading", path: path, code: errno) }
            if count == 0 { return bytes }
            bytes += chunk.prefix(count)
            guard bytes.count <= limit else { throw FileError(action: "reading", path: path, code: EFBIG) }
        }
    }

    /// Bytes of a file; nil where there is none.
    package static func size(_ path: String) -> Int? {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : nil
    }

    /// What a file has from an offset on, at most its last `limit` bytes; empty where it can't be read.
    package static func tail(_ path: String, from offset: Int, limit: Int) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = pread(descriptor, &bytes, limit, max(offset, (size(path) ?? 0) - limit))
        return Array(bytes.prefix(max(0, count)))
    }

    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Makes a folder that only we may enter, and those above it.
    package static func makePrivateFolder(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw FileError(action: "making folder", path: path, code: errno)
        }
    }

    /// The names in a folder, in order.
    package static func list(_ path: String) throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }

    /// What a symbolic link leads to, 128 bytes of it at most; nothing where it can't be read.
    package static func target(of link: String) -> String {
        var text = [UInt8](repeating: 0, count: 128)
        let count = text.withUnsafeMutableBytes { bytes in bytes.baseAddress.map { readlink(link, $0, bytes.count) } ?? 0 }
        return String(decoding: text.prefix(max(0, count)), as: UTF8.self)
    }

    package static func remove(_ path: String) { _ = try? FileManager.default.removeItem(atPath: path) }

    package static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let folder = getcwd(nil, 0) else { return path }
        defer { free(folder) }
        return path == "." ? String(cString: folder) : "\(String(cString: folder))/\(path)"
    }
}

/// A lock that one process at a time can hold on a folder; the kernel gives it up when the process ends, however it ends.
package final class FolderLock: Sendable {
    private let descriptor: Int32

    /// How often a lock is asked for. A process that has ended may leave one behind for a moment: a child that it was about to make
    /// another program of holds it too, until that program begins.
    private static let tries = 4

    /// Nil when another process holds it.
    /// - Parameter pause: waits before it is asked for again; three quarters of a second in all.
    package init?(_ path: String, pause: () -> Void = { usleep(250_000) }) throws {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError(action: "locking", path: path, code: errno) }
        // From here on `deinit` closes the descriptor.
        for again in 0..<Self.tries {
            if again > 0 { pause() }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return }
        }
        return nil
    }

    deinit { close(descriptor) }
}
