import Glibc
import Model
import Platform

/// A folder of ours and the filesystem that it is on: whether it can hold sockets, and files that only we read.
struct FolderFacts: Sendable, Equatable {
    /// The setting that names it.
    var setting = "data_dir"
    var path: String
    /// Where it was tried: itself, or the folder that it will be made in.
    var base: String
    /// `ext4`
    var filesystem = "?"
    /// Why nothing can be made in it; nil where it can.
    var trouble: String?
    /// That the trouble is that of a full disk.
    var isFull = false
    /// Whose it is, and as whom we run.
    var owner: uid_t = 0
    var user: uid_t = 0
    var keepsModes = true
    var hasSockets = true
    /// Bytes and files for which there is room; nil where nobody says.
    var room: UInt64?
    var files: UInt64?

    /// Bytes below which Redis, the log and keys soon can't be written; and those from which on nobody need look.
    private static let scarce: UInt64 = 32 << 20
    private static let ample: UInt64 = 500 << 20

    private var place: String { path == base ? path : "\(path), in \(base)," }

    var judgement: Judgement {
        if let trouble {
            let words = "\(setting): \(place) can't be written: \(trouble)"
            if isFull { return .fault(words, "make room on the disk of \(base)") }
            if path != base, user != 0 {
                return .fault(words, "make it as root (install -d -m 700 -o \(user) \(path)), or set \(setting) to a folder of yours")
            }
            if owner != user, user != 0 {
                return .fault(
                    words,
                    "it belongs to user \(owner): run this as that user (sudo -u '#\(owner)' sallyport ...), or name a folder of yours")
            }
            return .fault(words, "mount it for writing, mend its mode, or set \(setting) to another folder")
        }
        guard hasSockets else {
            return .fault(
                "\(setting): \(place) is on a filesystem (\(filesystem)) that can hold no Unix sockets",
                "set \(setting) to a folder on a Linux filesystem like ext4 or xfs")
        }
        guard keepsModes else {
            return .fault(
                "\(setting): \(place) is on a filesystem (\(filesystem)) that keeps no file modes, and others could read the keys",
                "set \(setting) to a folder on a Linux filesystem like ext4 or xfs")
        }
        if setting == "data_dir", ["tmpfs", "ramfs"].contains(filesystem) {
            return .warning(
                "\(setting): \(place) is in memory (\(filesystem)): users, keys and pools are gone when the machine starts again",
                "set \(setting) to a folder on a disk")
        }
        return .pass("\(place) keeps sockets and modes (\(filesystem))")
    }

    var space: Judgement {
        guard let room else { return .warning("the room on the disk of \(base) can't be read", "look at `df \(base)`") }
        let words = "\(Figures.bytes(Double(room))) are free on the disk of \(base)"
        if let files, files < 100 { return .fault("room for \(files) files is left on the disk of \(base)", "remove files there (df -i)") }
        if room < Self.scarce { return .fault("only \(words)", "make room on it: Redis refuses changes when it is full") }
        return room < Self.ample ? .warning("only \(words)", "make room on it: the access log and Redis's file grow") : .pass(words)
    }
}

extension FolderFacts {
    /// Makes a folder for a moment, and tries in it what the controller does.
    static func read(_ setting: String, _ path: String) -> FolderFacts {
        var base = path
        while !Files.exists(base), let cut = base.lastIndex(of: "/") { base = cut == base.startIndex ? "/" : String(base[..<cut]) }
        var facts = FolderFacts(setting: setting, path: path, base: base, user: geteuid())
        facts.filesystem = filesystem(of: base) ?? "?"
        var status = stat()
        if stat(base, &status) == 0 { facts.owner = status.st_uid }
        var room = statvfs()
        if statvfs(base, &room) == 0 {
            facts.room = UInt64(room.f_bavail) * UInt64(room.f_frsize)
            // Filesystems that make their inodes as they go say 0.
            if room.f_files > 0 { facts.files = UInt64(room.f_favail) }
        }
        facts.attempt()
        return facts
    }

    private mutating func attempt() {
        let folder = "\(base == "/" ? "" : base)/.try-\(Digest.randomHex(bytes: 4))"
        guard mkdir(folder, 0o700) == 0 else { return fail(errno) }
        defer { Files.remove(folder) }
        do { try Files.write(String(repeating: "x", count: 8192), to: "\(folder)/file", mode: 0o600) } catch let error as FileError {
            if [EPERM, EOPNOTSUPP, ENOSYS].contains(error.code) { keepsModes = false } else { return fail(error.code) }
        } catch { return fail(EIO) }
        keepsModes = keepsModes && mode(of: folder) == 0o700 && mode(of: "\(folder)/file") == 0o600
        hasSockets = canBind("\(folder)/s")
    }

    private mutating func fail(_ code: Int32) {
        trouble = String(cString: strerror(code))
        isFull = code == ENOSPC || code == EDQUOT
    }

    private func mode(of path: String) -> mode_t? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o777 : nil
    }

    private func canBind(_ path: String) -> Bool {
        // A path that is too long is told of by the configuration.
        guard let name = SocketAddress(path: path) else { return true }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        return name.bind(descriptor)
    }

    /// The type of the filesystem that is mounted nearest above a path.
    private static func filesystem(of path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        let place = String(cString: resolved)
        var best: (point: Substring, type: String)?
        for line in ((try? Files.read("/proc/self/mountinfo", limit: 4 << 20)) ?? "").split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 6, let dash = words.firstIndex(of: "-"), dash + 1 < words.count else { continue }
            let point = words[4]
            guard place == point || point == "/" || place.hasPrefix("\(point)/") else { continue }
            // Of two at one point the later one lies above.
            if best.map({ $0.point.count <= point.count }) ?? true { best = (point, String(words[dash + 1])) }
        }
        return best?.type
    }
}
