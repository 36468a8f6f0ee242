import Glibc
package import Model

/// One line for each thing that happens. Thread-safe: lines never mix. A line is written before its call returns, so none is lost in
/// a crash; those of requests follow within 50 ms, many with one `write(2)`. Where nobody reads what is written, no call waits for
/// long: what is too much is lost, and its number is told.
package struct Log: Sendable {
    package enum Level: Int, Sendable, CaseIterable, Comparable {
        case debug, info, warning, error
        package static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
        var word: String { ["debug", "info", "warn", "error"][rawValue] }
    }

    package enum Format: String, Sendable, CaseIterable {
        /// `01:02:03 info  exit us-1 serves exit=us-1`
        case text
        /// One JSON object a line (RFC 8259).
        case json
    }

    private let descriptor: Int32
    private let format: Format
    private let minimum: Level
    private let colours: Bool
    private let tail: LogTail?
    private let buffer: LogBuffer

    package init(descriptor: Int32 = STDERR_FILENO, format: Format = .text, minimum: Level = .info, tail: LogTail? = nil) {
        self.tail = tail
        self.descriptor = descriptor
        buffer = LogBuffer(descriptor: descriptor) { lost in
            let words = "\(lost) \(lost == 1 ? "line was" : "lines were") lost here: they could not be written"
            return Self.line(.warning, words, [:], format, colours: false)
        }
        self.format = format
        self.minimum = minimum
        colours = isatty(descriptor) == 1 && getenv("NO_COLOR") == nil
    }

    /// A log that keeps nothing, for tests.
    package static let none = Log(descriptor: -1)

    package func debug(_ message: String, _ fields: KeyValuePairs<String, String> = [:]) { write(.debug, message, fields) }
    package func info(_ message: String, _ fields: KeyValuePairs<String, String> = [:]) { write(.info, message, fields) }
    package func warning(_ message: String, _ fields: KeyValuePairs<String, String> = [:]) { write(.warning, message, fields) }
    package func error(_ message: String, _ fields: KeyValuePairs<String, String> = [:]) { write(.error, message, fields) }

    /// The line of a request. It has a way of its own, since there is one for each.
    package func request(
        id: String, method: String, path: String, status: Int, seconds: Double, bytes: Int, address: String, key: String?
    ) {
        guard descriptor >= 0, minimum <= .info else { return }
        let format = format
        buffer.add(at: SystemClock.now()) { time, line in
            switch format {
            case .json:
                line.append(contentsOf: "{\"time\":\"".utf8)
                line.append(contentsOf: time.utf8)
                line.append(contentsOf: "\",\"level\":\"info\",\"message\":\"".utf8)
            case .text:
                line.append(contentsOf: time.utf8.dropFirst(11).prefix(8))
                line.append(contentsOf: " info  ".utf8)
            }
            Self.append(method, to: &line, format)
            line.append(0x20)
            Self.append(path, to: &line, format)
            line.append(0x20)
            line.append(contentsOf: String(status).utf8)
            if format == .json { line.append(0x22) }
            Self.append("request_id", id, to: &line, format)
            Self.append("status", String(status), to: &line, format)
            Self.append("us", String(Int(seconds * 1_000_000)), to: &line, format)
            Self.append("bytes", String(bytes), to: &line, format)
            Self.append("address", address, to: &line, format)
            Self.append("key", key ?? "-", to: &line, format)
            if format == .json { line.append(0x7D) }
            line.append(0x0A)
        }
    }

    private static func append(_ name: StaticString, _ value: String, to line: inout [UInt8], _ format: Format) {
        if format == .json { line.append(0x2C) }
        line.append(format == .json ? 0x22 : 0x20)
        name.withUTF8Buffer { line.append(contentsOf: $0) }
        line.append(contentsOf: format == .json ? "\":\"".utf8 : "=".utf8)
        append(value, to: &line, format)
        if format == .json { line.append(0x22) }
    }

    /// A text without its quotes. What has nothing to be quoted, as nearly all have, is only copied.
    private static func append(_ text: String, to line: inout [UInt8], _ format: Format) {
        if text.utf8.allSatisfy({ (0x21..<0x7F).contains($0) && $0 != 0x22 && $0 != 0x5C }) {
            line.append(contentsOf: text.utf8)
        } else {
            line.append(contentsOf: format == .json ? JSONText.quoted(text).utf8.dropFirst().dropLast() : plain(text).utf8[...])
        }
    }

    /// Writes what waits, within a second; to be called before the process ends.
    package func flush() { if descriptor >= 0 { buffer.flush() } }

    private func write(_ level: Level, _ message: String, _ fields: KeyValuePairs<String, String>) {
        guard descriptor >= 0, level >= minimum else { return }
        tail?.add(
            LogLine(
                time: SystemClock.now(), level: level.word, message: message,
                fields: Dictionary(fields.map { ($0.key, $0.value) }) { $1 }))
        buffer.write(Self.line(level, message, fields, format, colours: colours))
    }

    private static func line(
        _ level: Level, _ message: String, _ fields: KeyValuePairs<String, String>, _ format: Format, colours: Bool
    ) -> String {
        let time = SystemClock.now().description
        var line: String
        switch format {
        case .json:
            line = "{\"time\":\"\(time)\",\"level\":\"\(level.word)\",\"message\":\(quoted(message))"
            for (key, value) in fields { line += ",\(quoted(key)):\(quoted(value))" }
            line += "}"
        case .text:
            let word = level.word + String(repeating: " ", count: 5 - level.word.count)
            let tint = colours && level >= .warning ? (level == .error ? "\u{1B}[31m" : "\u{1B}[33m") : ""
            line = "\(time.dropFirst(11).prefix(8)) \(tint)\(word)\(tint.isEmpty ? "" : "\u{1B}[0m") \(plain(message))"
            for (key, value) in fields { line += " \(key)=\(value.contains(" ") ? quoted(value) : plain(value))" }
        }
        return line + "\n"
    }

    /// Nothing from outside may start a new line or move the cursor of a terminal.
    private static func plain(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: JSONText.isControl) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { JSONText.isControl($0) ? " " : $0 }))
    }

    private static func quoted(_ text: String) -> String { JSONText.quoted(text) }
}

/// JSON string literals without an encoder.
package enum JSONText {
    /// What moves a cursor or begins a line: C0, DEL, C1 (terminals read U+009B as they read ESC [) and Unicode's two separators.
    static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || (0x2028...0x2029).contains(scalar.value)
    }

    package static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            default:
                if isControl(scalar) {
                    let digits = String(scalar.value, radix: 16)
                    result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }
}

/// The machine's wall clock.
package enum SystemClock {
    package static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
