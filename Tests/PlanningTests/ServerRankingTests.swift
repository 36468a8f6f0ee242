import Model
import Planning
import Testing

@Suite struct ServerRankingTests {
    private let servers = [
        server(1, load: 31, latency: 2), server(2, load: 12, latency: 80), server(3, load: 18, latency: 9), server(4, load: 11),
    ]

    private func order(_ servers: [Server], _ strategy: Strategy = .balanced, _ knowledge: ServerRanking.Knowledge = .init()) -> [String] {
        ServerRanking.ranked(servers, strategy: strategy, knowledge: knowledge).map(\.server.hostname)
    }

    @Test(arguments: [(Strategy.load, [4, 2, 3, 1]), (.latency, [1, 3, 2, 4]), (.balanced, [3, 1, 2, 4])])
    func `each strategy has its order`(strategy: Strategy, numbers: [Int]) {
        #expect(order(servers, strategy) == numbers.map { "us\($0)" })
    }

    @Test func `random keeps to the ten best, and its seed decides`() {
        let many = (1...40).map { server($0, load: $0 * 2) }
        let first = ServerRanking.ranked(many, strategy: .random, seed: 1)
        #expect(first == ServerRanking.ranked(many, strategy: .random, seed: 1))
        #expect(Set(first.prefix(10).map(\.server.load)) == Set((1...10).map { $0 * 2 }))
        #expect((2...20).contains { ServerRanking.ranked(many, strategy: .random, seed: UInt64($0))[0] != first[0] })
    }

    @Test func `measuring begins with the least loaded of each city`() {
        let many = (1...20).map { server($0, load: $0, city: $0 > 18 ? "far" : "near") }
        #expect(ServerRanking.firstOfCities(many, limit: 4).map(\.load) == [1, 19])
        #expect(ServerRanking.firstOfCities(many, limit: 1).map(\.load) == [1])
    }

    @Test func `a server that an exit holds comes last, and one account is spread over cities and networks`() {
        let near = [server(1, load: 1, city: "A"), server(2, load: 2, city: "A"), server(3, load: 10, city: "B")]
        var knowledge = ServerRanking.Knowledge()
        knowledge.held = [near[0]]
        #expect(order(near, .balanced, knowledge) == ["us3", "us2", "us1"])
        // The same address under another name is the same server.
        var twin = server(9, load: 0, city: "C")
        twin.address = near[0].address
        #expect(order(near + [twin], .balanced, knowledge).suffix(2).contains("us9"))
        // Another account's tunnel to it is no hindrance.
        knowledge.held[0].provider = .mullvad
        #expect(order(near, .balanced, knowledge) == ["us1", "us2", "us3"])
    }

    @Test func `what is known of a city counts for its servers, until they are measured themselves`() {
        let many = [server(1, load: 10, city: "far"), server(2, load: 20, city: "near")]
        var knowledge = ServerRanking.Knowledge()
        knowledge.cities = [ServerCity(of: many[0]): 180, ServerCity(of: many[1]): 4]
        #expect(order(many, .balanced, knowledge) == ["us2", "us1"])
        knowledge.latencies["us1"] = LatencyFigures(
            median: 1, jitter: nil, loss: 0, samples: 1, method: .fping, measuredAt: Timestamp(milliseconds: 0))
        #expect(order(many, .balanced, knowledge) == ["us1", "us2"])
    }

    @Test func `loss, silence and a breaker count against a server`() {
        let four = (1...4).map { server($0, load: 10, latency: nil) }
        func figures(_ median: Double?, loss: Double) -> LatencyFigures {
            LatencyFigures(median: median, jitter: nil, loss: loss, samples: 10, method: .fping, measuredAt: Timestamp(milliseconds: 0))
        }
        var knowledge = ServerRanking.Knowledge()
        knowledge.latencies = [
            "us1": figures(5, loss: 50), "us2": figures(20, loss: 0), "us3": figures(nil, loss: 100), "us4": figures(1, loss: 0),
        ]
        knowledge.breakers = [BreakerKey.server("us4"): .open]
        #expect(order(four, .balanced, knowledge) == ["us2", "us1", "us3", "us4"])
        knowledge.breakers = [BreakerKey.server("us4"): .halfOpen]
        #expect(order(four, .balanced, knowledge) == ["us4", "us2", "us1", "us3"])
    }

    @Test func `a score is the sum of its parts, each with a reason`() throws {
        var knowledge = ServerRanking.Knowledge()
        knowledge.held = [server(1, load: 3)]
        for entry in ServerRanking.ranked(servers, strategy: .balanced, knowledge: knowledge) {
            #expect(entry.score == entry.parts.reduce(0) { $0 + $1.points })
            #expect(entry.parts.allSatisfy { !$0.reason.isEmpty && $0.points > 0 })
        }
        let first = try #require(ServerRanking.ranked(servers, strategy: .balanced, knowledge: knowledge).last)
        #expect(first.server.hostname == "us1" && first.parts.contains { $0.name == "held" })
    }

    @Test func `any input gives an order of all servers, the same each time`() {
        var generator = SplitMix64(state: 7)
        for _ in 0..<200 {
            let count = Int.random(in: 0...60, using: &generator)
            let many = (0..<count).map { number in
                var server = server(
                    number + 1, load: Int.random(in: 0...100, using: &generator),
                    latency: Bool.random(using: &generator) ? Double.random(in: 0...1e6, using: &generator) : nil)
                if Bool.random(using: &generator) { server.load = nil }
                return server
            }
            var knowledge = ServerRanking.Knowledge()
            knowledge.held = Array(many.prefix(count / 4))
            for strategy in Strategy.allCases {
                let ranked = ServerRanking.ranked(many, strategy: strategy, knowledge: knowledge, seed: 3)
                #expect(ranked == ServerRanking.ranked(many.reversed(), strategy: strategy, knowledge: knowledge, seed: 3))
                #expect(Set(ranked.map(\.server.hostname)) == Set(many.map(\.hostname)) && ranked.count == count)
                guard strategy != .random else { continue }
                let free = ranked.prefix(count - count / 4)
                #expect(!free.contains { server in knowledge.held.contains { $0.hostname == server.server.hostname } })
            }
        }
    }
}
