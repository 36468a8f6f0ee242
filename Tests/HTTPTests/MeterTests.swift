import HTTPServing
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct MeterTests {
    private let big = [UInt8](repeating: 7, count: 3_000_000)

    private func measure(limit: Int, status: Int = 200, path: String = "/") async throws -> (response: HTTPResponse, reading: Meter.Reading)
    {
        let big = big
        nonisolated(unsafe) var result: (HTTPResponse, Meter.Reading)?
        try await withServer({ _ in .ready(ServerResponse(status: status, headers: [], body: big)) }) { client, url, _ in
            var request = HTTPRequest("GET", url)
            let meter = Meter(limit: limit)
            request.meter = meter
            result = (try await client.send(request), meter.reading)
        }
        return try #require(result)
    }

    @Test func `a body is counted and not kept`() async throws {
        let (response, reading) = try await measure(limit: 100_000_000)
        #expect(response.status == 200 && response.body.isEmpty && reading.bytes == 3_000_000)
        #expect(try #require(reading.firstByte) <= #require(reading.lastByte))
    }

    @Test func `a transfer ends well when enough has come`() async throws {
        let (response, reading) = try await measure(limit: 500_000)
        #expect(response.status == 200 && response.body.isEmpty)
        // A chunk of libcurl's more at most.
        #expect((500_000..<1_100_000).contains(reading.bytes), "\(reading.bytes)")
    }

    @Test func `the answer to a request that failed is kept and not counted`() async throws {
        let (response, reading) = try await measure(limit: 500_000, status: 404)
        #expect(response.status == 404 && response.body.count == 3_000_000 && reading.bytes == 0 && reading.firstByte == nil)
    }
}
