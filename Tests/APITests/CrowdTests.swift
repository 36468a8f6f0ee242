@testable import API
@testable import EventStreams
import HTTPServing
import Model
import Platform
@testable import RequestPipeline
import TestSupport
import Testing

/// What is still answered when all connections are taken.
@Suite(.serialized, .timeLimit(.minutes(5))) struct CrowdTests {
    private static let host = "HTTP/1.1\r\nHost: x\r\n"

    private func withServer(
        _ change: (inout HTTPServer.Limits, inout RequestSettings) -> Void, _ body: (API, HTTPServer) async throws -> Void
    ) async throws {
        var (limits, settings) = (HTTPServer.Limits(), RequestSettings())
        (settings.requests, settings.strictRequests, settings.failedKeys, settings.streamsPerKey) = (100_000, 100_000, 100_000, 100_000)
        change(&limits, &settings)
        let subject = try Subject(.direct, settings: settings)
        let api = subject.api
        let server = try HTTPServer(
            address: "127.0.0.1", port: 0, limits: limits, answersAlways: RequestPipeline.isHealth, refuse: api.refuser(),
            dispatch: api.dispatcher())
        let running = Task { await api.run() }
        defer { running.cancel() }
        do { try await body(api, server) } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    private func key(_ role: Role) -> String { "X-API-Key: \(Subject.keys[role] ?? "")\r\n" }

    /// Each on a connection of its own, as a health check does.
    private func checkHealth(_ server: HTTPServer, _ path: String = "/health/live") async throws {
        for turn in 0..<100 {
            let raw = try Raw(port: server.port)
            raw.send("GET \(path) \(Self.host)\r\n")
            let answer = try #require(try await raw.receiveAll(), "it is closed after its answer")
            #expect(answer.hasPrefix("HTTP/1.1 200"), "\(turn): \(answer)")
        }
    }

    private func ask(_ server: HTTPServer, _ request: String) async throws -> String {
        let raw = try Raw(port: server.port)
        raw.send(request)
        return try await raw.receiveAll(seconds: 10) ?? "it stays open"
    }

    @Test(arguments: [false, true]) func `health is answered while half of a request is on each connection`(isOfOneAddress: Bool)
        async throws
    {
        try await withServer { limits, _ in
            (limits.connections, limits.connectionsPerAddress) = isOfOneAddress ? (1000, 50) : (50, 0)
        } _: { _, server in
            let taken = try (0..<80).map { _ in
                let raw = try Raw(port: server.port)
                raw.send("GET /api/exits \(Self.host)")
                return raw
            }
            try await eventually("all are there", within: 60) { server.connections >= 50 }
            for path in ["/health", "/health/live", "/health/ready"] { try await checkHealth(server, path) }
            let other = try await ask(server, "GET /api/exits \(Self.host)\(key(.admin))\r\n")
            #expect(other.hasPrefix("HTTP/1.1 503") && other.contains("too_many_connections") && other.contains("Retry-After: "))
            #expect(other.lowercased().contains("connection: close"))
            let posted = try await ask(server, "POST /health/live \(Self.host)Content-Length: 5\r\n\r\nabcde")
            #expect(posted.hasPrefix("HTTP/1.1 503"))
            try await eventually("those beyond the limit are closed", within: 20) { server.connections == 50 }
            #expect(taken.count { $0.receive(milliseconds: 0) != nil } == 50, "those within the limit are left alone")
            taken[0].send(key(.admin) + "\r\n")
            #expect(String(decoding: taken[0].receive() ?? [], as: UTF8.self).hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test func `one who is idle makes room for one who comes`() async throws {
        try await withServer { limits, _ in
            limits.connections = 50
        } _: { _, server in
            let taken = try (0..<50).map { _ in try Raw(port: server.port) }
            for raw in taken { #expect(try await raw.ask("/health/live").hasPrefix("HTTP/1.1 200")) }
            try await checkHealth(server)
            try await eventually("they are idle for a second") {
                let answer = try await ask(server, "GET /api/exits \(Self.host)\(key(.admin))Connection: close\r\n\r\n")
                return answer.hasPrefix("HTTP/1.1 200")
            }
            let left = taken.count { $0.receive(milliseconds: 0) != nil }
            #expect((45..<50).contains(left), "no more than had to: \(left)")
        }
    }

    @Test func `who sends nothing beyond the limit is closed, and does not keep out the next`() async throws {
        try await withServer { limits, _ in
            (limits.connections, limits.surplus) = (10, 8)
        } _: { _, server in
            let taken = try (0..<10).map { _ in
                let raw = try Raw(port: server.port)
                raw.send("GET /api/exits \(Self.host)")
                return raw
            }
            let silent = try (0..<100).map { _ in try Raw(port: server.port) }
            try await checkHealth(server)
            try await eventually("they are closed", within: 20) { silent.allSatisfy { $0.receive(milliseconds: 0) == nil } }
            try await eventually("only those within the limit are left") { server.connections == 10 }
            #expect(taken.allSatisfy { $0.receive(milliseconds: 0) != nil })
        }
    }

    @Test func `health is answered while all connections are streams, and who leaves one gives it back`() async throws {
        try await withServer { limits, _ in
            limits.connections = 40
        } _: { api, server in
            var streams = try (0..<40).map { _ in
                let raw = try Raw(port: server.port)
                raw.send("GET /api/stream/exits \(Self.host)\(key(.viewer))\r\n")
                return raw
            }
            try await eventually("all read", within: 60) { api.streams.exits.readers == 40 }
            try await checkHealth(server)
            #expect(try await ask(server, "GET /api/exits \(Self.host)\(key(.admin))\r\n").hasPrefix("HTTP/1.1 503"))
            streams.removeLast(20)
            try await eventually("their connections are free", within: 10) { server.connections == 20 }
        }
    }

    @Test func `streams of one key, and of all, are bounded, and one that ends gives its place back`() async throws {
        try await withServer { _, settings in
            (settings.streamsPerKey, settings.streams) = (3, 5)
        } _: { api, server in
            func open(_ role: Role, _ path: String = "/api/stream/exits") async throws -> (raw: Raw, answer: String) {
                let raw = try Raw(port: server.port)
                raw.send("GET \(path) \(Self.host)\(key(role))\r\n")
                let answer = try await Blocking.run { String(decoding: raw.receive() ?? [], as: UTF8.self) }
                return (raw, answer)
            }
            var held: [Raw] = []
            for path in ["/api/stream/exits", "/api/stream/events", "/api/stream/logs"] {
                let (raw, answer) = try await open(.admin, path)
                #expect(answer.hasPrefix("HTTP/1.1 200"))
                held.append(raw)
            }
            let refused = try await open(.admin).answer
            #expect(refused.hasPrefix("HTTP/1.1 429") && refused.contains("too_many_streams") && refused.contains("Retry-After: 10"))
            #expect(refused.contains("api.streams_per_key"))
            for _ in 0..<2 {
                let (raw, answer) = try await open(.viewer)
                #expect(answer.hasPrefix("HTTP/1.1 200"), "another key has its own")
                held.append(raw)
            }
            #expect(try await open(.viewer).answer.contains("(api.streams)"))
            #expect(api.streams.metrics.refused.values == [["key"]: 1, ["all"]: 1])
            // At once, though nothing was sent to it since.
            held.removeFirst()
            #expect(try await open(.admin).answer.hasPrefix("HTTP/1.1 200"))
        }
    }
}
