import Glibc
import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct FilesTests {
    private let folder: TemporaryFolder
    private var path: String { "\(folder.path)/file" }

    init() throws { folder = try TemporaryFolder() }

    private func mode(_ path: String) throws -> mode_t {
        var status = stat()
        try #require(stat(path, &status) == 0)
        return status.st_mode & 0o7777
    }

    @Test(arguments: ["", "text\n", "é\u{0}ü", String(repeating: "x", count: 3 << 20)]) func `a file is read as it was written`(
        text: String
    ) throws {
        try Files.write(text, to: path, mode: 0o600)
        #expect(try Files.read(path, limit: 4 << 20) == text)
    }

    @Test(arguments: [0o600, 0o640, 0o644, 0o666] as [mode_t])
    func `the mode is the one that was asked for, whatever the umask and the old file`(mode: mode_t) throws {
        try Files.write("old", to: path, mode: 0o604)
        try Files.write("new", to: path, mode: mode)
        #expect(try self.mode(path) == mode && Files.read(path) == "new")
    }

    @Test func `a reader sees the old or the new content, and nothing is left beside it`() async throws {
        let texts = ["a", "b"].map { String(repeating: $0, count: 300_000) }
        try Files.write(texts[0], to: path, mode: 0o600)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for text in texts { group.addTask { for _ in 0..<15 { try Files.write(text, to: path, mode: 0o600) } } }
            group.addTask {
                for _ in 0..<100 {
                    let text = try Files.read(path)
                    #expect(texts.contains(text))
                }
            }
            try await group.waitForAll()
        }
        #expect(try await Programs.run("ls", ["-A", folder.path]).output == "file\n")
    }

    @Test func `what can't be written or read is named with its reason, and the old file stays`() throws {
        try Files.makePrivateFolder("\(path)/sub")
        let taken = try #require(throws: FileError.self) { try Files.write("x", to: path, mode: 0o600) }
        #expect(taken.description == "writing \(path): Is a directory")
        let missing = try #require(throws: FileError.self) { try Files.write("x", to: "\(folder.path)/no/file", mode: 0o600) }
        #expect(missing.code == ENOENT)
        #expect(
            "\(try #require(throws: FileError.self) { try Files.read("/no/such/file") })"
                == "reading /no/such/file: No such file or directory")
        #expect(Files.exists("\(path)/sub") && !Files.exists("\(path)/other"))
    }

    @Test func `a file over the limit is refused`() throws {
        try Files.write(String(repeating: "x", count: 100), to: path, mode: 0o600)
        #expect(try Files.read(path, limit: 100).utf8.count == 100)
        #expect(try #require(throws: FileError.self) { try Files.read(path, limit: 99) }.code == EFBIG)
        #expect(throws: FileError.self) { try Files.read("/dev/zero") }
    }

    @Test func `a private folder is made with those above it, and again is no error`() throws {
        let deep = "\(folder.path)/a/b/c"
        try Files.makePrivateFolder(deep)
        try Files.makePrivateFolder(deep)
        #expect(try mode(deep) == 0o700 && mode("\(folder.path)/a") == 0o700)
        Files.remove("\(folder.path)/a")
        #expect(!Files.exists("\(folder.path)/a"))
        Files.remove("\(folder.path)/a")
    }

    @Test func `a lock has one holder, in this process or another, and is freed with it`() async throws {
        let lock = "\(folder.path)/lock"
        var holder = try FolderLock(lock)
        #expect(holder != nil)
        #expect(try FolderLock(lock) == nil)
        #expect(try await Programs.run("flock", ["-n", lock, "true"]).status == 1)
        holder = nil
        #expect(holder == nil)
        // A program that another test starts at this moment has it until it has closed what it inherits.
        try await eventually("it is free") { try await Programs.run("flock", ["-n", lock, "true"]).status == 0 }
        // One that gives it up in a moment is waited for.
        holder = try FolderLock(lock)
        #expect(holder != nil)
        var next = try FolderLock(lock) { holder = nil }
        #expect(next != nil)
        next = nil
        #expect(next == nil)
        // One that is killed holds it no longer.
        let other = try Programs.startDetached("flock", ["-n", lock, "sleep", "100"], log: "/dev/null")
        try await eventually("it is held") { try FolderLock(lock) == nil }
        kill(-other, SIGKILL)
        try await eventually("it is free") { try FolderLock(lock) != nil }
        var status: Int32 = 0
        waitpid(other, &status, 0)
        #expect(try mode(lock) == 0o600)
        #expect(throws: FileError.self) { try FolderLock("\(folder.path)/no/lock") }
    }
}
