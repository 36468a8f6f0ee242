import FoundationEssentials
import Glibc
import Model
import Platform

/// The append-only file of the private server while nobody has it open: what a power cut leaves of it, and what may be mended.
///
/// Since Redis 7 it is a folder of a base, increments and a manifest that names them; before, one file. Nothing is mended before it
/// was copied to `damaged-<time>` beside it; the last three copies are kept.
struct AppendOnlyFile: Sendable {
    private static let copies = 3
    /// A tail of more bytes is not looked at.
    private static let tailLimit = 64 << 20
    let folder: String

    private var directory: String { "\(folder)/appendonlydir" }
    private var manifest: String { "\(directory)/appendonly.aof.manifest" }
    private var single: String { "\(folder)/appendonly.aof" }

    /// What the tools of Redis are given.
    var path: String { Files.exists(manifest) || !Files.exists(single) ? manifest : single }

    // MARK: - The manifest

    /// Writes a manifest that is missing, empty or unreadable, where the files leave no doubt what was in it. Without it Redis would begin
    /// with nothing, or not at all.
    /// - Returns: what was done, nil for nothing.
    /// - Throws: `RedisError` where there is doubt, with what to do.
    func mendManifest() throws -> String? {
        guard Files.exists(directory) else { return nil }
        let text = try? Files.read(manifest)
        if let text, Self.isManifest(text) { return nil }
        let names = try Files.list(directory)
        let (bases, increments) = (Self.numbered(names, [".base.rdb", ".base.aof"]), Self.numbered(names, [".incr.aof"]))
        guard text != nil || !bases.isEmpty || !increments.isEmpty else { return nil }
        guard Self.belongTogether(bases.map(\.number), increments.map(\.number)) else {
            throw RedisError(
                code: .unavailable,
                message:
                    "\(manifest) is \(text == nil ? "missing" : "empty or unreadable"), and \(directory) leaves open which files belong together (\((bases + increments).map(\.name).joined(separator: ", "))); restore the folder from a copy, or \(startAnew)"
            )
        }
        let copy = try copyAside()
        if bases.isEmpty {
            Files.remove(manifest)
            return "the manifest of Redis's append-only file was empty and there were no files; it starts empty (copy in \(copy))"
        }
        let lines =
            bases.map { "file \($0.name) seq \($0.number) type b\n" } + increments.map { "file \($0.name) seq \($0.number) type i\n" }
        try Files.write(lines.joined(), to: manifest, mode: 0o644)
        return
            "the manifest of Redis's append-only file was \(text == nil ? "missing" : "unreadable"); it was made again from the file names (copy in \(copy))"
    }

    /// A rewrite makes the next base and forgets the increments before it: with the first base none was forgotten.
    private static func belongTogether(_ bases: [Int], _ increments: [Int]) -> Bool {
        let isContiguous = increments == Array(1...max(1, increments.count))
        return bases.isEmpty && increments.isEmpty || bases.count == 1 && increments.count == 1 || bases == [1] && isContiguous
    }

    private static func isManifest(_ text: String) -> Bool {
        let lines = text.split(separator: "\n")
        return !lines.isEmpty
            && lines.allSatisfy { line in
                line.hasPrefix("#")
                    || line.hasPrefix("file ") && line.contains(" seq ") && line.contains(" type ") && !line.utf8.contains(0)
            }
    }

    private static func numbered(_ names: [String], _ ends: [String]) -> [(name: String, number: Int)] {
        let start = "appendonly.aof."
        return names.compactMap { name in
            guard name.hasPrefix(start), let end = ends.first(where: name.hasSuffix),
                let number = Int(name.dropFirst(start.count).dropLast(end.count))
            else { return nil }
            return (name, number)
        }.sorted { $0.number < $1.number }
    }

    // MARK: - The tail

    /// Cuts what a power cut has left at the end: zeros, half a command, or anything else in which there is no whole command.
    /// - Returns: what was cut; nil where the file is good.
    /// - Throws: `RedisError` where commands would go with it, with what to do.
    func mendTail() async throws -> String? {
        guard Files.exists(path) else { return nil }
        let check = try await Programs.run("redis-check-aof", [path], deadline: 600)
        guard check.status != 0 else { return nil }
        if let version = Self.newerVersion(in: check.output) {
            throw RedisError(
                code: .unavailable,
                message:
                    "a newer redis-server has written \(path) (RDB format version \(version)), and this one can't read it; install that version of Redis again, or restore \(folder) from a copy of before its upgrade; nothing was changed"
            )
        }
        guard let found = Self.damage(in: check.output), isLast(found.name) else {
            let last = check.output.split(whereSeparator: \.isNewline).last.map(String.init) ?? "no word"
            throw RedisError(
                code: .unavailable,
                message: "the append-only file can't be repaired (redis-check-aof: \(last)); restore \(folder) from a copy, or \(startAnew)"
            )
        }
        let file = path == single ? single : "\(directory)/\(found.name ?? "")"
        guard found.size - found.good <= Self.tailLimit, let tail = Self.bytes(of: file, from: found.good), !Self.holdsCommand(tail) else {
            throw RedisError(
                code: .unavailable,
                message:
                    "\(file) is damaged at byte \(found.good) of \(found.size), with commands behind it; copy \(folder), then cut it there by `redis-check-aof --fix \(path)` and start again"
            )
        }
        let copy = try copyAside()
        try Self.cut(file, to: found.good)
        return
            "the last \(found.size - found.good) bytes of Redis's append-only file were damaged, as after a power cut, and were cut; what was written last may be lost (copy in \(copy))"
    }

    private var startAnew: String {
        let what = path == single ? single : directory
        return "start without it: `mv \(what) \(what).old` (what was stored is then gone, and all exits end)"
    }

    /// The format of a file that is not damaged, but newer than the tool.
    private static func newerVersion(in output: String) -> String? {
        output.firstRange(of: "Can't handle RDB format version ").map { range in
            String(output[range.upperBound...].prefix { $0.isNumber })
        }
    }

    /// The file that is damaged, its size, and the bytes of it that are good.
    private static func damage(in output: String) -> (name: String?, size: Int, good: Int)? {
        for line in output.split(whereSeparator: \.isNewline).reversed() where line.hasPrefix("AOF analyzed: ") {
            var fields: [Substring: Substring] = [:]
            for field in line.dropFirst("AOF analyzed: ".count).split(separator: ",") {
                let parts = field.split(separator: "=", maxSplits: 1)
                if parts.count == 2 { fields[parts[0].drop { $0 == " " }] = parts[1] }
            }
            guard let size = fields["size"].flatMap({ Int($0) }), let good = fields["ok_up_to"].flatMap({ Int($0) }), good < size else {
                continue
            }
            return (fields["filename"].map(String.init), size, good)
        }
        return nil
    }

    /// Only of the last file the end may be cut.
    private func isLast(_ name: String?) -> Bool {
        guard path == manifest else { return true }
        let lines = ((try? Files.read(manifest)) ?? "").split(separator: "\n").filter { $0.hasSuffix(" type i") }
        return name != nil && lines.last.map { $0.contains(" \(name ?? "") ") } ?? false
    }

    /// True where there is a whole command, as the file has them, anywhere in these bytes.
    static func holdsCommand(_ bytes: [UInt8]) -> Bool {
        bytes.indices.contains { bytes[$0] == UInt8(ascii: "*") && isCommand(bytes[$0...]) }
    }

    private static func isCommand(_ text: ArraySlice<UInt8>) -> Bool {
        var rest = text
        func number(_ sign: UInt8) -> Int? {
            guard rest.first == sign, let end = rest.prefix(16).firstIndex(of: 0x0D),
                rest.dropFirst(end - rest.startIndex + 1).first == 0x0A
            else { return nil }
            let digits = rest[(rest.startIndex + 1)..<end]
            rest = rest[(end + 2)...]
            return Int(String(decoding: digits, as: UTF8.self))
        }
        guard let count = number(UInt8(ascii: "*")), (1...1_048_576).contains(count) else { return false }
        for _ in 0..<count {
            guard let length = number(UInt8(ascii: "$")), length >= 0, rest.count >= length + 2 else { return false }
            rest = rest.dropFirst(length)
            guard rest.popFirst() == 0x0D, rest.popFirst() == 0x0A else { return false }
        }
        return true
    }

    private static func bytes(of path: String, from offset: Int) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0, lseek(descriptor, offset, SEEK_SET) == offset else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while case let count = read(descriptor, &chunk, chunk.count), count != 0 {
            guard count > 0 else { return nil }
            bytes += chunk.prefix(count)
        }
        return bytes
    }

    private static func cut(_ path: String, to size: Int) throws {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, ftruncate(descriptor, size) == 0, fsync(descriptor) == 0 else {
            throw RedisError(code: .unavailable, message: "\(path) can't be cut at byte \(size): \(String(cString: strerror(errno)))")
        }
    }

    // MARK: - Copies

    /// Copies what there is to a folder beside it, whose path it returns; the oldest copies go.
    private func copyAside() throws -> String {
        let what = path == single ? single : directory
        let old = try Files.list(folder).filter { $0.hasPrefix("damaged-") }
        for name in old.dropLast(Self.copies - 1) { Files.remove("\(folder)/\(name)") }
        let time = SystemClock.now().description.filter { $0.isLetter || $0.isNumber }
        let copy = "\(folder)/damaged-\(time)"
        try Files.makePrivateFolder(copy)
        do {
            try FileManager.default.copyItem(atPath: what, toPath: "\(copy)/\(what.split(separator: "/").last ?? "copy")")
        } catch {
            Files.remove(copy)
            throw RedisError(
                code: .unavailable,
                message: "\(what) is damaged, and can't be copied to \(copy) before it is repaired: make room on the disk"
            )
        }
        return copy
    }
}
