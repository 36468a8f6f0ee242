import FoundationEssentials
import Glibc
import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct LogTests {
    /// What a log writes.
    private func written(_ format: Log.Format, minimum: Log.Level = .debug, _ body: (Log) -> Void) throws -> String {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/log"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        body(Log(descriptor: descriptor, format: format, minimum: minimum))
        return try Files.read(path, limit: 16 << 20)
    }

    @Test func `a line has the time, the level, the message and the fields`() throws {
        let text = try written(.text) { $0.warning("exit us-1 waits", ["detail": "no server left", "attempts": "3"]) }
        #expect(try #/^\d\d:\d\d:\d\d warn  exit us-1 waits detail="no server left" attempts=3\n$/#.wholeMatch(in: text) != nil, "\(text)")
    }

    @Test(arguments: [(Log.Level.debug, 4), (.info, 3), (.warning, 2), (.error, 1)]) func `what is below the minimum is left out`(
        level: Log.Level, lines: Int
    ) throws {
        let text = try written(.text, minimum: level) { log in
            log.debug("a")
            log.info("b")
            log.warning("c")
            log.error("d")
        }
        #expect(text.utf8.count { $0 == 0x0A } == lines)
    }

    private static let nasty = [
        "two\nlines", "two\r\nlines", "\u{1B}[31mred", "bell\u{7}", "delete\u{7F}", "nul\u{0}", "next\u{85}line", "\u{9B}31m",
        "\u{2028}separator",
        "a b\nc", "\u{1B}]0;title\u{7}", "quote\" and \\",
    ]

    @Test(arguments: nasty, Log.Format.allCases) func `nothing from outside starts a line or moves a terminal's cursor`(
        text: String, format: Log.Format
    ) throws {
        let line = try written(format) { $0.info(text, ["field": text]) }
        #expect(line.unicodeScalars.filter { $0 == "\n" }.count == 1 && line.unicodeScalars.last == "\n")
        let control = line.unicodeScalars.dropLast().filter {
            $0.properties.generalCategory == .control || $0.properties.generalCategory == .lineSeparator
        }
        #expect(control.isEmpty, "\(control.map(\.value))")
    }

    @Test(arguments: nasty) func `a JSON line is one object that says the same`(text: String) throws {
        struct Line: Decodable {
            let time: String
            let level: String
            let message: String
            let field: String
        }
        let line = try written(.json) { $0.error(text, ["field": text]) }
        let read = try JSONDecoder().decode(Line.self, from: Data(line.utf8))
        #expect(read.message == text && read.field == text && read.level == "error" && read.time.hasSuffix("Z"))
    }

    @Test func `lines of many writers never mix`() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/log"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        let log = Log(descriptor: descriptor, format: .json)
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                group.addTask { for _ in 0..<100 { log.info(String(repeating: "\(number)", count: 3000)) } }
            }
        }
        let lines = try Files.read(path, limit: 16 << 20).split(separator: "\n")
        #expect(lines.count == 800)
        for line in lines { #expect(line.hasPrefix("{\"time\"") && line.hasSuffix("\"}") && line.utf8.count < 3200) }
    }

    @Test func `who logs into a pipe that nobody reads is not held up, and the lines that were lost are counted where they are missing`()
        async throws
    {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let log = Log(descriptor: ends[1])
        let begin = ContinuousClock.now
        let count = 10_000
        for number in 0..<count {
            let words = "line \(number) \(String(repeating: "x", count: 80))"
            if number.isMultiple(of: 2) {
                log.info(words)
            } else {
                log.request(id: words, method: "GET", path: "/", status: 200, seconds: 0, bytes: 0, address: "", key: nil)
            }
        }
        log.flush()
        #expect(ContinuousClock.now - begin < .seconds(5), "two of them waited for half a second")
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        var bytes: [UInt8] = []
        let reader = ends[0]
        func take() -> String {
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            let read = read(reader, &chunk, chunk.count)
            if read > 0 { bytes += chunk.prefix(read) }
            return String(decoding: bytes, as: UTF8.self)
        }
        try await eventually("it tells of them", within: 20) { take().contains(" lines were lost here") }
        log.warning("afterwards")
        try await eventually("and goes on", within: 20) { take().contains("afterwards\n") }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        let told = lines.compactMap { $0.firstMatch(of: #/ (\d+) lines were lost here/#).flatMap { Int($0.1) } }.reduce(0, +)
        let kept = lines.count { $0.contains("line ") && $0.contains("xxx") }
        #expect(told + kept == count && lines.count == kept + 2, "\(told) told, \(kept) kept")
    }

    @Test func `lines that a full disk refuses are counted and told once there is room`() throws {
        let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/log"
        let log = Log(descriptor: full)
        for _ in 0..<3 { log.info("lost") }
        log.flush()
        // The same descriptor becomes one that takes lines.
        let room = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        #expect(dup2(room, full) == full)
        log.info("kept")
        let lines = try Files.read(path).split(separator: "\n")
        #expect(
            lines.count == 2 && lines[0].hasSuffix("3 lines were lost here: they could not be written") && lines[1].hasSuffix("kept"),
            "\(lines)"
        )
        close(room)
        close(full)
    }

    @Test(arguments: Log.Format.allCases) func `lines of requests come a moment later, and before any other that came after them`(
        format: Log.Format
    ) throws {
        let text = try written(format) { log in
            for number in 0..<1000 {
                log.request(
                    id: "id-\(number)", method: "GET", path: "/a\"\n\(number)", status: 200, seconds: 0.000_123, bytes: 5,
                    address: "127.0.0.1", key: nil)
            }
            log.info("after", ["field": "value"])
            log.request(id: "last", method: "GET", path: "/", status: 404, seconds: 1, bytes: 0, address: "::1", key: "k1")
            log.flush()
        }
        let lines = text.split(separator: "\n")
        #expect(lines.count == 1002 && lines[1000].contains("after"))
        for (number, line) in lines.prefix(1000).enumerated() { #expect(line.contains("id-\(number)")) }
        switch format {
        case .text:
            let form = #/\d\d:\d\d:\d\d info  GET \/ 404 request_id=last status=404 us=1000000 bytes=0 address=::1 key=k1/#
            #expect(try form.wholeMatch(in: lines[1001]) != nil, "\(lines[1001])")
        case .json:
            for line in lines { #expect(throws: Never.self) { try JSONDecoder().decode([String: String].self, from: Data(line.utf8)) } }
            let last = try JSONDecoder().decode([String: String].self, from: Data(lines[1001].utf8))
            #expect(last["message"] == "GET / 404" && last["us"] == "1000000" && last["key"] == "k1" && last["level"] == "info")
        }
    }

    @Test func `a line of a request is written without anybody asking for it`() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/log"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        let log = Log(descriptor: descriptor)
        log.request(id: "one", method: "GET", path: "/", status: 200, seconds: 0, bytes: 0, address: "", key: nil)
        try await eventually("it is there") { try Files.read(path).contains("request_id=one") }
    }

    @Test(
        arguments: [
            ("", #""""#), ("a", #""a""#), ("a\"b\\c", #""a\"b\\c""#), ("\n", #""\n""#), ("\r\n", #""\u000d\n""#), ("\u{1}", #""\u0001""#),
            ("é🙂", #""é🙂""#), ("/", #""/""#),
        ])
    func `a JSON string is quoted`(text: String, quoted: String) throws {
        #expect(JSONText.quoted(text) == quoted)
        #expect(try JSONDecoder().decode(String.self, from: Data(JSONText.quoted(text).utf8)) == text)
    }
}
