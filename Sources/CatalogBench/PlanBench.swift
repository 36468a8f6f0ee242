import Model
import Planning

/// How long a plan takes in a fleet, in three worlds: nothing happens; one exit of each pool has lost its container; all exits start anew.
enum PlanBench {
    private static let now = Timestamp(milliseconds: 1_700_000_000_000)

    static func run(exits count: Int, servers total: Int, runs: Int) {
        let pools = max(1, (count + Pool.sizeLimit - 1) / Pool.sizeLimit)
        let countries = Array(CountryCode.all.prefix(pools))
        let listed = servers(total, in: countries)
        let exits = fleet(count, in: countries, listed)
        let desired = Desired(
            pools: Dictionary(uniqueKeysWithValues: countries.map { ($0, Pool(country: $0, size: min(Pool.sizeLimit, count / pools))) }))
        for name in ["idle", "losses", "restart"] {
            let world = world(name, exits, listed)
            var measured: [Double] = []
            var launched = 0
            for _ in 0..<runs {
                let start = ContinuousClock.now
                let plan = Planner.plan(desired: desired, exits: exits, world: world, now: now)
                measured.append((ContinuousClock.now - start) / .milliseconds(1))
                launched = plan.steps.count { if case .launch = $0 { true } else { false } }
            }
            let median = measured.sorted()[runs / 2]
            print(
                #"{"world":"\#(name)","exits":\#(exits.count),"servers":\#(total),"launches":\#(launched),"median_ms":\#(median),"#
                    + #""max_ms":\#(measured.max() ?? 0)}"#)
        }
    }

    /// Each country's, best first.
    private static func servers(_ total: Int, in countries: [CountryCode]) -> [CountryCode: [RankedServer]] {
        var random = SplitMix64(state: 17)
        let all = (0..<total).map { number in
            let country = countries[number % countries.count]
            return Server(
                provider: .nordvpn, hostname: "\(country.lowercased)\(number).example.test",
                address: "198.\(18 + number % 2).\(number / 250).\(number % 250)", port: 51820, publicKey: "k", country: country,
                city: "City \(number / countries.count % 8)", load: Int.random(in: 0...100, using: &random),
                latencyMilliseconds: Double.random(in: 1...200, using: &random))
        }
        return Dictionary(grouping: all, by: \.country).mapValues { ServerRanking.byItself($0, strategy: .balanced) }
    }

    private static func fleet(_ count: Int, in countries: [CountryCode], _ listed: [CountryCode: [RankedServer]]) -> [ExitID: Exit] {
        var exits: [ExitID: Exit] = [:]
        for index in 0..<count {
            let (country, number) = (countries[index % countries.count], index / countries.count + 1)
            var exit = Exit(id: ExitID(country: country, number: number), slot: number, now: now + -3_600)
            exit.generation = 1
            exit.server = listed[country]?[number].server
            (exit.state, exit.container) = (.verifying, "c-\(exit.id)-1")
            exit.endpoint = Endpoint(address: "172.31.\(index / 250).\(index % 250)", port: 3128)
            exit.verified(address: "198.18.0.1", country: country, latencyMilliseconds: 5, now: now + -3_600)
            exit.promote(now: now + -3_600)
            exits[exit.id] = exit
        }
        return exits
    }

    private static func world(_ name: String, _ exits: [ExitID: Exit], _ listed: [CountryCode: [RankedServer]]) -> World {
        let containers = exits.values.filter { name == "idle" || name == "losses" && $0.id.number > 1 }.map { exit in
            ExitContainer(
                name: exit.container ?? "", exit: exit.id, generation: 1, isRunning: true, endpoint: exit.endpoint,
                server: exit.server?.address, exitCode: nil)
        }
        var world = World(containers: containers, servers: listed)
        // A hundred servers have failed lately.
        for entry in listed.values.flatMap({ $0.prefix(4) }).prefix(100) {
            var breaker = Breaker()
            breaker.fail("blackhole", now + -5, Breaker.ofServers)
            world.breakers[BreakerKey.server(entry.server.hostname)] = breaker
        }
        return world
    }
}
