import Glibc
import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct FileSharingTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func status(_ path: String) throws -> (mode: mode_t, group: gid_t) {
        var status = stat()
        try #require(lstat(path, &status) == 0)
        return (status.st_mode & 0o7777, status.st_gid)
    }

    @Test func `without a group all is the owner's alone`() throws {
        let path = "\(folder.path)/a/file"
        try FileSharing.none.makeFolder("\(folder.path)/a")
        try FileSharing.none.write("text", to: path)
        #expect(try status("\(folder.path)/a").mode == 0o700 && status(path).mode == 0o600)
    }

    @Test(.enabled(if: geteuid() == 0, "only root may give files to any group"))
    func `a group may read the files, and make its own beside them`() throws {
        let sharing = try FileSharing(group: "daemon")
        let (shared, path) = ("\(folder.path)/a/b", "\(folder.path)/a/b/file")
        try sharing.makeFolder(shared)
        try sharing.write("old", to: path)
        try sharing.write("text", to: path)
        #expect(try status(shared) == (0o3770, 1) && status(path) == (0o640, 1))
        #expect(try status("\(folder.path)/a").mode == 0o700)
        // One that is there is its maker's.
        #expect(chmod(shared, 0o2770) == 0)
        try sharing.makeFolder(shared)
        #expect(try status(shared).mode == 0o2770)
    }

    @Test(.enabled(if: geteuid() == 0, "only root may give files to any group"))
    func `a socket gets its group, and no link in its place is followed`() throws {
        let path = "\(folder.path)/s.sock"
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        #expect(try #require(SocketAddress(path: path)).bind(descriptor))
        #expect(try FileSharing.none.share(socket: path) && status(path).mode == 0o600)
        #expect(try FileSharing(group: "daemon").share(socket: path) && status(path) == (0o660, 1))
        let secret = "\(folder.path)/secret"
        try Files.write("secret", to: secret, mode: 0o600)
        #expect(unlink(path) == 0 && symlink(secret, path) == 0)
        #expect(try !FileSharing(group: "daemon").share(socket: path))
        #expect(try status(secret).mode == 0o600 && status(secret).group == getegid())
    }

    @Test func `a group that is none is told`() {
        #expect(throws: FileSharing.Refused.self) { try FileSharing(group: "no-such-group") }
    }
}
