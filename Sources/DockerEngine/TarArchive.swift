/// One file for an archive.
package struct TarFile: Sendable {
    /// Relative, at most 100 bytes.
    package var name: String
    /// Permission bits: 0o600.
    package var mode: Int
    package var content: [UInt8]

    package init(name: String, mode: Int, content: [UInt8]) {
        self.name = name
        self.mode = mode
        self.content = content
    }
}

/// Archives of a few small files, as the Engine API takes them (POSIX.1-1988 ustar).
package enum TarArchive {
    package static func bytes(of files: [TarFile]) -> [UInt8] {
        var archive: [UInt8] = []
        for file in files {
            archive += header(of: file) + file.content
            archive += [UInt8](repeating: 0, count: (512 - file.content.count % 512) % 512)
        }
        return archive + [UInt8](repeating: 0, count: 1024)
    }

    private static func header(of file: TarFile) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) { for (index, byte) in text.utf8.enumerated() { header[offset + index] = byte } }
        put(String(file.name.prefix(100)), at: 0)
        put(octal(file.mode, digits: 7), at: 100)
        put(octal(0, digits: 7), at: 108)
        put(octal(0, digits: 7), at: 116)
        put(octal(file.content.count, digits: 11), at: 124)
        put(octal(0, digits: 11), at: 136)
        put("        ", at: 148)
        put("0", at: 156)
        put("ustar\u{0}00", at: 257)
        put(octal(header.reduce(0) { $0 + Int($1) }, digits: 6) + "\u{0} ", at: 148)
        return header
    }

    private static func octal(_ value: Int, digits: Int) -> String {
        let text = String(value, radix: 8)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
