import Glibc
import Platform

/// What keeps the private server from its files, found before it is started: its own words name neither the owner nor the remedy.
extension PrivateRedis {
    /// Bytes of room below which a server that ended is taken for one that had none.
    private static let scarce: UInt64 = 1 << 20

    /// - Throws: `RedisError` where the folder or a file of it can't be read and written by us, with the command that helps.
    func checkFolder() throws {
        try check(folder, isFolder: true)
        let data = "\(folder)/appendonlydir"
        if Files.exists(data) {
            try check(data, isFolder: true)
            for name in try Files.list(data) { try check("\(data)/\(name)") }
        }
        for name in ["appendonly.aof", "redis.log", "redis.pid"] where Files.exists("\(folder)/\(name)") {
            try check("\(folder)/\(name)")
        }
    }

    private func check(_ path: String, isFolder: Bool = false) throws {
        var status = stat()
        guard stat(path, &status) == 0 else { throw unusable("\(path): \(String(cString: strerror(errno)))") }
        guard (status.st_mode & S_IFMT == S_IFDIR) == isFolder else {
            throw unusable("\(path) is \(isFolder ? "no folder" : "a folder"); move it away and start again")
        }
        guard access(path, isFolder ? R_OK | W_OK | X_OK : R_OK | W_OK) != 0 else { return }
        let code = errno
        if code == EROFS { throw unusable("\(path) is on a file system that is mounted read-only; mount it for writing") }
        guard code == EACCES else { throw unusable("\(path): \(String(cString: strerror(code)))") }
        let remedy =
            status.st_uid == geteuid()
            ? "its mode is 0\(String(status.st_mode & 0o7777, radix: 8)); run `chmod -R u+rwX \(folder)`"
            : "it belongs to user \(status.st_uid), and this program runs as user \(geteuid()); run `chown -R \(geteuid()) \(folder)` as root"
        throw unusable("Redis may not read and write \(path): \(remedy)")
    }

    private func unusable(_ words: String) -> RedisError { RedisError(code: .unavailable, message: words) }

    /// What to do about a full disk, for an error; empty where there is room.
    var roomWords: String {
        var room = statvfs()
        guard statvfs(folder, &room) == 0, UInt64(room.f_bavail) * UInt64(room.f_frsize) < Self.scarce else { return "" }
        return "; the disk of \(folder) is full: make room on it"
    }
}
