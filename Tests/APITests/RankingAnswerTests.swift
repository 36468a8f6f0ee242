@testable import API
import Model
import Testing

@Suite(.timeLimit(.minutes(1))) struct RankingAnswerTests {
    @Test func `a ranking is made once, until catalog, exits or breakers change; and by chance for each`() async throws {
        try await Subject.with(.direct) { subject in
            func rankings(_ target: String = "/api/nordvpn/servers/us?explain=true&limit=2") async throws -> Int {
                let answer = try await subject.call("GET", target)
                #expect(answer.status == 200)
                return subject.operations.with { $0.rankings }
            }
            for _ in 0..<3 { let made = try await rankings(); #expect(made == 1) }
            subject.operations.with { $0.catalogRevision += 1 }
            for _ in 0..<3 { let made = try await rankings(); #expect(made == 2) }
            subject.operations.with { $0.shown.exits[ExitID(country: us, number: 1)]?.server?.hostname = "us3" }
            for _ in 0..<3 { let made = try await rankings(); #expect(made == 3) }
            subject.operations.with { $0.shown.breakers[0].state = "half_open" }
            for _ in 0..<3 { let made = try await rankings(); #expect(made == 4) }
            // What no score depends on.
            subject.operations.with { $0.shown.revision += 1 }
            let made = try await rankings(); #expect(made == 4)
            let chance = "/api/nordvpn/servers/us?explain=true&strategy=random"
            for number in 5...6 { let made = try await rankings(chance); #expect(made == number) }
        }
    }
}
