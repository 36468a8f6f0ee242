import HTTPServing
import Model
import OpenAPI

/// `/api/exits/{id}/speedtest`
struct SpeedTestRoutes: RouteGroup {
    let operations: any Operations

    var routes: [APIRoute] {
        [
            Route(
                "POST", "/api/exits/{id}/speedtest", .operator, "Measures a download through an exit",
                "It uses traffic, and runs only on request, one at a time for each exit.",
                body: Body(
                    .maybe("megabytes", .whole(SpeedTest.megabytes, 10), "the most to download (10)"),
                    .maybe("seconds", .number(SpeedTest.seconds, 10), "the longest duration (10)"), isOptional: true),
                answers: [.json(200, "what it measured", SpeedTest.view.schema)], problems: [409, 503], .waiting(runSpeedTest)),
            Route(
                "GET", "/api/exits/{id}/speedtest", .viewer, "The running speed test, or the last one",
                answers: [.json(200, "the test, as far as it has come", SpeedTest.view.schema)], .ready(showSpeedTest)),
        ]
    }

    func runSpeedTest(_ request: ServerRequest) async throws -> ServerResponse {
        let id = try request.exitID()
        let (megabytes, seconds) = try request.body { reader in
            (reader.integer("megabytes", in: SpeedTest.megabytes) ?? 10, reader.number("seconds", in: SpeedTest.seconds) ?? 10)
        }
        return .json(SpeedTest.view(try await operations.testSpeed(of: id, bytes: megabytes * 1_000_000, seconds: seconds)))
    }

    func showSpeedTest(_ request: ServerRequest) throws -> ServerResponse {
        let id = try request.exitID()
        guard let test = operations.speedTest(of: id) else { throw APIProblem.notFound("speed test of \(id)") }
        return .json(SpeedTest.view(test))
    }
}

extension SpeedTest {
    /// With three digits behind the point.
    private static func rounded(_ number: Double) -> Double { (number * 1000).rounded() / 1000 }

    fileprivate static let view = View<Self>(
        "SpeedTest",
        .always("exit", .text("us-1")) { $0.exit },
        .always("running", .flag) { $0.isRunning },
        .always("bytes", .whole(10_000_000), "of body that came") { $0.bytes },
        .always("seconds", .number(0...60, 1.62), "from the first byte to the last") { rounded($0.seconds) },
        .maybe("mbit_s", .number(0...1e9, 49.383), "megabits a second, from the first byte on") { $0.megabitsPerSecond.map(rounded) },
        .maybe("first_byte_ms", .number(0...1e9, 41.5), "from the request to the first byte") { $0.firstByteMilliseconds.map(rounded) },
        .always("started_at", .time) { $0.startedAt })
}
