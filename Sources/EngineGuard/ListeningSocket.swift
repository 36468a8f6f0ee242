import Glibc
import Platform

/// A Unix socket that listens, and the file that it is found by.
final class ListeningSocket: Sendable {
    let descriptor: Int32
    private let path: String
    private let inode: ino_t

    /// Makes it for a group or, without one, for everybody; one that a dead process has left behind is replaced.
    /// - Throws: `GuardError` where something else is there, where somebody listens, or where the folder can't be written.
    init(_ path: String, group: String? = nil) throws {
        self.path = path
        let sharing = try group.map { name in
            do { return try FileSharing(group: name) } catch { throw GuardError(description: "can't listen for the group: \(error)") }
        }
        try Self.removeStale(path)
        let address = try SocketAddress(reaching: path)
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw GuardError(description: "no socket: \(String(cString: strerror(errno)))") }
        var status = stat()
        // Nobody can connect before it listens, and then its mode is right.
        guard address.bind(descriptor), sharing?.share(socket: path) ?? (chmod(path, 0o666) == 0), lstat(path, &status) == 0,
            listen(descriptor, 1024) == 0
        else {
            let error = GuardError(description: "can't listen on \(path): \(String(cString: strerror(errno)))")
            close(descriptor)
            throw error
        }
        inode = status.st_ino
    }

    deinit { close(descriptor) }

    private static func removeStale(_ path: String) throws {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw GuardError(description: "can't listen on \(path): the path is used by something that is not a socket; remove it")
        }
        guard (try? Channel.connected(to: path)) == nil else {
            throw GuardError(description: "can't listen on \(path): another process does")
        }
        guard unlink(path) == 0 else {
            throw GuardError(description: "can't replace \(path), which nobody listens on: \(String(cString: strerror(errno)))")
        }
    }

    /// The next connection; nil once it has stopped.
    func accept() -> Channel? {
        while true {
            let connection = Glibc.accept(descriptor, nil, nil)
            if connection >= 0 {
                _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
                return Channel(descriptor: connection)
            }
            switch errno {
            case EINTR, ECONNABORTED: continue
            // No descriptor is left; one comes back when a request ends.
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: usleep(50_000)
            default: return nil
            }
        }
    }

    /// Takes no more connections, and removes the file where it is still this socket's.
    func stop() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        var status = stat()
        if lstat(path, &status) == 0, status.st_ino == inode { unlink(path) }
    }
}
