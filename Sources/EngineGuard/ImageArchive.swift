import DockerEngine
import Glibc

/// The archive of the exits' image, as this guard has it on its own disk. What a client sends is held against it, and never passed on.
struct ImageArchive: Sendable {
    let path: String
    /// Bytes.
    let size: Int
    /// The tag of the image, which changes with the archive.
    let tag: String

    /// - Throws: `GuardError` where there is none.
    init(path: String, repository: String) throws {
        var status = stat()
        guard stat(path, &status) == 0, access(path, R_OK) == 0 else {
            throw GuardError(description: "reading \(path): \(String(cString: strerror(errno)))")
        }
        self.path = path
        size = Int(status.st_size)
        tag = String(ExitContainers.imageName(repository, of: path).dropFirst(repository.count + 1))
    }

    /// Gives the file piece by piece, at most 64 KiB each.
    func forEachPiece(_ body: ([UInt8]) throws -> Void) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw GuardError(description: "reading \(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw GuardError(description: "reading \(path): \(String(cString: strerror(errno)))") }
            if count == 0 { return }
            try body(Array(buffer.prefix(count)))
        }
    }
}
