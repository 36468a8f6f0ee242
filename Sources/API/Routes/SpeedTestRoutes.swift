import HTTPServing
import Model
import OpenAPI

/// `/api/exits/{id}/speedtest`
struct SpeedTestRoutes: RouteGroup {
    let operations: any Operations

    var routes: [APIRoute] {
        [
            Route(
                "POST", "/api/exits/{id}/speedtest",
                Contract(
                    .role(.operator), "Downloads through an exit and measures",
                    "It costs the bytes that it downloads, and never runs by itself. One at a time for each exit.",
                    body: Body(
                        .object(
                            .maybe("megabytes", .whole(SpeedTest.megabytes, 10), "to download at most (10)"),
                            .maybe("seconds", .number(SpeedTest.seconds, 10), "to take at most (10)")),
                        isOptional: true),
                    answers: [.json(200, "what it measured", .speedTest)], problems: [409, 503]),
                .waiting(runSpeedTest)),
            Route(
                "GET", "/api/exits/{id}/speedtest",
                Contract(
                    .role(.viewer), "The speed test that runs, or the last one",
                    answers: [.json(200, "the test, as far as it has come", .speedTest)]),
                .ready(showSpeedTest)),
        ]
    }

    func runSpeedTest(_ request: ServerRequest) async throws -> ServerResponse {
        let id = try request.exitID()
        let (megabytes, seconds) = try request.body { reader in
            (reader.integer("megabytes", in: SpeedTest.megabytes) ?? 10, reader.number("seconds", in: SpeedTest.seconds) ?? 10)
        }
        return .json(SpeedTestView(try await operations.testSpeed(of: id, bytes: megabytes * 1_000_000, seconds: seconds)))
    }

    func showSpeedTest(_ request: ServerRequest) throws -> ServerResponse {
        let id = try request.exitID()
        guard let test = operations.speedTest(of: id) else { throw APIProblem.notFound("speed test of \(id)") }
        return .json(SpeedTestView(test))
    }
}

/// A speed test as the API shows it.
struct SpeedTestView: Encodable {
    let exit: ExitID
    let running: Bool
    let bytes: Int
    let seconds: Double
    let mbitS: Double?
    let firstByteMs: Double?
    let startedAt: Timestamp

    init(_ test: SpeedTest) {
        func rounded(_ number: Double) -> Double { (number * 1000).rounded() / 1000 }
        exit = test.exit
        running = test.isRunning
        bytes = test.bytes
        seconds = rounded(test.seconds)
        mbitS = test.megabitsPerSecond.map(rounded)
        firstByteMs = test.firstByteMilliseconds.map(rounded)
        startedAt = test.startedAt
    }
}
