import Glibc
import Synchronization
import Testing

@testable import ExitProxy

/// What a proxy says of itself and its tunnel, and to whom.
@Suite(.timeLimit(.minutes(1))) struct StatusTests {
    /// An entry point that hands each question to the body, which may answer; and how many there were.
    private final class Asked: Sendable {
        let port: UInt16
        private let count = Mutex(0)
        var questions: Int { count.withLock { $0 } }

        init(_ answer: @escaping @Sendable (Int) -> String) throws {
            let (asked, answered) = (try Self.pipe(), try Self.pipe())
            port = startProxy { $0.entryPoint = EntryPoint(asked: asked.write, answering: answered.read) }
            detach { [self] in
                var line: UInt8 = 0
                while read(asked.read, &line, 1) == 1 {
                    let number = count.withLock { count in
                        count += 1; return count
                    }
                    let bytes = Array(answer(number).utf8) + [0]
                    // In two pieces, as a shell writes it.
                    for piece in [bytes.prefix(bytes.count / 2), bytes.suffix(bytes.count - bytes.count / 2)] {
                        _ = piece.withUnsafeBytes { write(answered.write, $0.baseAddress, $0.count) }
                    }
                }
            }
        }

        private static func pipe() throws -> (read: Int32, write: Int32) {
            var ends: [Int32] = [-1, -1]
            guard Glibc.pipe(&ends) == 0 else { throw Failure("pipe") }
            return (ends[0], ends[1])
        }
    }

    private static let own = "Proxy-Authorization: Basic ZXhpdDpmaXJzdA==\r\n"

    private func ask(_ port: UInt16, _ line: String = "GET /status", _ fields: String = own) throws -> String {
        let wire = try Wire(to: port)
        wire.send("\(line) HTTP/1.1\r\nHost: x\r\n\(fields)\r\n")
        return wire.restAsText
    }

    @Test func `who knows the exit's own secret is told figures, and what the entry point says of the tunnel`() throws {
        let asked = try Asked { "handshake_age_seconds \($0)\ntable inet x\n\n}\n" }
        let target = try TestTarget { wire in wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") }
        for host in ["here.test:\(target.port)", "nowhere.test:80", "127.0.0.1:\(try TestTarget.closedPort())"] {
            _ = try ask(asked.port, "GET http://\(host)/", "\(basic)Connection: close\r\n")
        }
        let said = try ask(asked.port)
        #expect(said.hasPrefix("HTTP/1.1 200 OK\r\n"), "\(said)")
        let lines = said.split(whereSeparator: \.isNewline)
        for line in ["version \(Proxy.version)", "lookups 2", "lookups_failed 0", "connects 2", "connects_failed 1"] {
            #expect(lines.contains { $0 == line }, "\(line): \(said)")
        }
        #expect(said.hasSuffix("\nhandshake_age_seconds 1\ntable inet x\n\n}\n"), "\(said)")
        #expect(try ask(asked.port).contains("\nhandshake_age_seconds 2\n"))
    }

    @Test(arguments: ["", basic, "Proxy-Authorization: Basic ZXhpdDp3cm9uZw==\r\n"])
    func `nobody else is told anything, also not with the secret of the exit's pool`(fields: String) throws {
        let asked = try Asked { _ in "secret" }
        #expect(try ask(asked.port, "GET /status", fields).hasPrefix("HTTP/1.1 407 "))
        #expect(asked.questions == 0)
    }

    @Test(arguments: ["GET /", "GET /status/", "GET /status?", "POST /status", "HEAD /status", "PREPARE /status", "GET *"])
    func `nothing else is asked in this way`(line: String) throws {
        let asked = try Asked { _ in "secret" }
        #expect(try ask(asked.port, line).hasPrefix("HTTP/1.1 400 "))
        #expect(asked.questions == 0)
    }

    @Test func `a target's own address of that name is the target's`() throws {
        let asked = try Asked { _ in "secret" }
        let target = try TestTarget { wire in
            #expect(wire.text(until: "\r\n\r\n").hasPrefix("GET /status HTTP/1.1\r\n"))
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother")
        }
        let said = try ask(asked.port, "GET http://127.0.0.1:\(target.port)/status", "\(Self.own)Connection: close\r\n")
        #expect(said.hasSuffix("\r\n\r\nother") && asked.questions == 0)
    }

    @Test func `figures come without the tunnel's where nobody answers for it, and a late answer is not the next one's`() throws {
        let asked = try Asked { number in
            if number == 1 { usleep(2_500_000) }
            return "handshake_age_seconds \(number)\n"
        }
        let first = try ask(asked.port)
        #expect(first.hasPrefix("HTTP/1.1 200 OK\r\n") && !first.contains("handshake"), "\(first)")
        #expect(try ask(asked.port).contains("\nhandshake_age_seconds 2\n"))
    }

    @Test func `many who ask at once are told one after another`() async throws {
        let asked = try Asked { "handshake_age_seconds \($0)\n" }
        let port = asked.port
        let answers = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    try await withCheckedThrowingContinuation { continuation in
                        detach { continuation.resume(with: Result { try ask(port) }) }
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(answers.compactMap { $0.split(separator: "\n").last }).count == 8, "\(answers)")
    }
}
