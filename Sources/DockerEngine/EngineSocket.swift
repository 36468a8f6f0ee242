import Glibc
import Platform

/// An engine's Unix socket, looked at where no answer came: what is wrong with it, and what to do.
enum EngineSocket {
    struct Trouble {
        var problem: String
        var remedy: String
        /// One sentence.
        var words: String { "\(problem): \(remedy)" }
    }

    /// Nil where a connection can be made, or its failure says nothing that an operator could mend.
    static func trouble(_ path: String) -> Trouble? {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFSOCK {
            return Trouble(problem: "\(path) is not a socket", remedy: "set docker.host to the engine's, like unix:///var/run/docker.sock")
        }
        return trouble(failure(connecting: path), path)
    }

    static func trouble(_ failure: Int32, _ path: String) -> Trouble? {
        let start = "start Docker (systemctl start docker)"
        switch failure {
        case ENOENT: return Trouble(problem: "\(path) is not there", remedy: "\(start), or set docker.host to the engine's socket")
        case EACCES, EPERM: return Trouble(problem: "this user (\(geteuid())) may not open \(path)", remedy: remedy(for: path))
        case ECONNREFUSED: return Trouble(problem: "nobody listens on \(path), which an engine has left behind", remedy: start)
        default: return nil
        }
    }

    static func words(_ failure: Int32, _ path: String) -> String? { trouble(failure, path)?.words }

    /// 0 where the connection was made.
    private static func failure(connecting path: String) -> Int32 {
        guard let name = SocketAddress(path: path) else { return ENAMETOOLONG }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        return name.connect(descriptor) ? 0 : errno
    }

    /// By the group that the socket belongs to; a folder above it may be what is shut.
    private static func remedy(for path: String) -> String {
        var status = stat()
        guard stat(path, &status) == 0 else { return "let it into the folders above the socket, or run the controller as root" }
        var entry = group()
        var found: UnsafeMutablePointer<group>?
        var buffer = [CChar](repeating: 0, count: 65_536)
        getgrgid_r(status.st_gid, &entry, &buffer, buffer.count, &found)
        guard status.st_gid != 0, status.st_mode & S_IRWXG != 0 else { return "run the controller as root" }
        let name = found.map { String(cString: $0.pointee.gr_name) } ?? "\(status.st_gid)"
        return "add it to the group \(name) (usermod -aG \(name) USER) and restart the controller, or run that as root"
    }
}
