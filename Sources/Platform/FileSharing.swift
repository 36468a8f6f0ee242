package import Glibc

/// Who else may use the files and sockets of a folder: nobody, or a group of the system's, whose members read the files and talk through
/// the sockets.
package struct FileSharing: Sendable {
    /// Nobody else.
    package static let none = FileSharing(nil)

    /// A group that files can't be given to.
    package struct Refused: Error, CustomStringConvertible {
        package var description: String
    }

    private let group: gid_t?

    private init(_ group: gid_t?) { self.group = group }

    /// - Parameter name: of a group that this process is in, or whose files root makes; nil for nobody.
    /// - Throws: `Refused`, with what to do.
    package init(group name: String?) throws {
        guard let name else {
            self.init(nil)
            return
        }
        guard let group = Self.number(of: name) else {
            throw Refused(description: "\(name) is not a group of this system; make it with `groupadd --system \(name)`")
        }
        guard geteuid() == 0 || getegid() == group || Self.groups.contains(group) else {
            throw Refused(description: "this process is not in the group \(name), so it can give it no files; put its user into that group")
        }
        self.init(group)
    }

    /// The number of a group; nil where there is none of that name.
    package static func number(of name: String) -> gid_t? {
        var (entry, found): (group, UnsafeMutablePointer<group>?) = (Glibc.group(), nil)
        var buffer = [CChar](repeating: 0, count: 64 << 10)
        guard getgrnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
        return entry.gr_gid
    }

    private static var groups: [gid_t] {
        var groups = [gid_t](repeating: 0, count: 65_536)
        let count = getgroups(Int32(groups.count), &groups)
        return Array(groups.prefix(max(0, Int(count))))
    }

    // MARK: - What is shared

    /// Replaces a file, as `Files.write` does.
    package func write(_ text: String, to path: String) throws {
        try Files.write(text, to: path, mode: group == nil ? 0o600 : 0o640, group: group)
    }

    /// Makes a folder with those above it; one that is there stays as it is. In one of a group, others may make sockets of their own, and
    /// take away nothing of ours.
    package func makeFolder(_ path: String) throws {
        guard let group, !Files.exists(path) else { return try Files.makePrivateFolder(path) }
        try Files.makePrivateFolder(path)
        guard chown(path, uid_t.max, group) == 0, chmod(path, 0o3770) == 0 else {
            throw FileError(action: "sharing folder", path: path, code: errno)
        }
    }

    /// Gives the file of a socket that is bound its mode and group; false where the system refuses it, which `errno` explains.
    package func share(socket path: String) -> Bool {
        // In a shared folder something else could be there by now: no link is followed.
        if let group, lchown(path, uid_t.max, group) != 0 { return false }
        return fchmodat(AT_FDCWD, path, group == nil ? 0o600 : 0o660, AT_SYMLINK_NOFOLLOW) == 0
    }
}
