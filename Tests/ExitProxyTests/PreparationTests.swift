import Glibc
import Synchronization
import TestSupport
import Testing

@testable import ExitProxy

/// What a proxy says of targets that it reaches ahead of their requests.
@Suite(.timeLimit(.minutes(1))) struct PreparationTests {
    private static let deaf = "127.53.0.12"
    private static let awake = "127.53.0.13"

    /// A proxy whose tunnel has the given resolver.
    private static func start(resolver: String) -> UInt16 {
        do { try ScriptedResolver.start(on: resolver) { _ in resolver == deaf ? .none : .error(3) } } catch { Issue.record(error) }
        return startProxy { $0.resolvers = [resolver].compactMap { IPv4($0) } }
    }

    private static let silent = start(resolver: deaf)
    private static let alive = start(resolver: awake)

    private func prepare(_ authority: String, at port: UInt16, silence: Int = 200) throws -> Wire {
        let wire = try Wire(to: port)
        wire.send("PREPARE \(authority) HTTP/1.1\r\n\(basic)X-Sallyport-Silence: \(silence)\r\n\r\n")
        return wire
    }

    private func number(in line: String) -> String? { line.split(separator: " ").last.map { String($0).filter(\.isNumber) } }

    /// A target that takes no more connections: what is sent to it is dropped.
    private func full() throws -> (port: UInt16, held: [Wire]) {
        let (descriptor, port) = try TestTarget.listening(backlog: 0)
        var held = [Wire(descriptor)]
        for _ in 0..<3 {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
            held.append(Wire(descriptor))
            _ = IPv4("127.0.0.1")?.withSocketAddress(port: port) { connect(descriptor, $0, $1) }
        }
        return (port, held)
    }

    @Test(arguments: ["CONNECT 127.0.0.1:PORT", "GET http://127.0.0.1:PORT/a"])
    func `the request takes the connection that was made for it`(line: String) throws {
        let target = try TestTarget { wire in
            // It speaks first, and only once.
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready")
            _ = wire.rest()
        }
        let said = try prepare("127.0.0.1:\(target.port)", at: Self.alive).text(until: "\r\n\r\n")
        #expect(said.hasPrefix("HTTP/1.1 200 ") && said.hasSuffix("\r\n\r\n"))
        let wire = try Wire(to: Self.alive)
        let ticket = try #require(number(in: said))
        let first = "\(line.replacing("PORT", with: "\(target.port)")) HTTP/1.1\r\n"
        wire.send("\(first)\(basic)X-Sallyport-Ticket: \(ticket)\r\nConnection: close\r\n\r\n")
        #expect(wire.text(until: "ready").hasSuffix("ready"))
    }

    @Test func `a ticket serves once, and for its own target`() throws {
        let count = Mutex(0)
        let target = try TestTarget { wire in
            wire.send("\(count.withLock { count in count += 1; return count })")
            _ = wire.rest()
        }
        let other = try TestTarget { wire in wire.send("other") }
        let ticket = try #require(number(in: try prepare("127.0.0.1:\(target.port)", at: Self.alive).text(until: "\r\n\r\n")))
        func connect(_ port: UInt16) throws -> String {
            let wire = try Wire(to: Self.alive)
            wire.send("CONNECT 127.0.0.1:\(port) HTTP/1.1\r\n\(basic)X-Sallyport-Ticket: \(ticket)\r\n\r\n")
            _ = wire.text(until: "\r\n\r\n")
            wire.end()
            return wire.restAsText
        }
        #expect(try connect(other.port) == "other")
        #expect(try connect(target.port) == "1")
        #expect(try connect(target.port) == "2")
    }

    @Test func `a tunnel that nothing comes through is silent`() throws {
        let (port, held) = try full()
        defer { withExtendedLifetime(held) {} }
        let wire = try prepare("127.0.0.1:\(port)", at: Self.silent)
        #expect(wire.text(until: "\r\n\r\n") == "HTTP/1.1 102 exit_silent\r\n\r\n")
        #expect(wire.text(until: "\r\n\r\n") == "HTTP/1.1 504 target_timeout\r\n\r\n")
    }

    @Test func `a plain request through a silent tunnel can be asked elsewhere`() throws {
        let (port, held) = try full()
        defer { withExtendedLifetime(held) {} }
        let wire = try Wire(to: Self.silent)
        wire.send("GET http://127.0.0.1:\(port)/ HTTP/1.1\r\n\(basic)X-Sallyport-Silence: 200\r\n\r\n")
        let answer = wire.restAsText
        #expect(answer.hasPrefix("HTTP/1.1 425 ") && answer.contains("X-Sallyport-Reason: exit_silent\r\n"), "\(answer)")
    }

    @Test func `a target that is silent beside a tunnel that answers is slow`() throws {
        let (port, held) = try full()
        defer { withExtendedLifetime(held) {} }
        let wire = try prepare("127.0.0.1:\(port)", at: Self.alive)
        #expect(wire.text(until: "\r\n\r\n") == "HTTP/1.1 102 target_slow\r\n\r\n")
    }

    @Test(arguments: [("127.0.0.1:PORT", "502 target_refused"), ("10.1.2.3:80", "403 target_not_allowed")])
    func `why a target can't be reached is said`(authority: String, words: String) throws {
        let closed = try TestTarget.closedPort()
        let wire = try prepare(authority.replacing("PORT", with: "\(closed)"), at: Self.alive)
        #expect(wire.text(until: "\r\n\r\n") == "HTTP/1.1 \(words)\r\n\r\n")
    }

    @Test func `nothing is prepared without a secret`() throws {
        let wire = try Wire(to: Self.alive)
        wire.send("PREPARE 127.0.0.1:80 HTTP/1.1\r\n\r\n")
        #expect(wire.restAsText.hasPrefix("HTTP/1.1 407 "))
    }
}
