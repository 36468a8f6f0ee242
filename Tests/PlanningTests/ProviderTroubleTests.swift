import Model
import Planning
import Testing

/// What a pool says where its provider is in the way.
@Suite struct ProviderTroubleTests {
    private func plan(_ change: (inout World) -> Void) -> Plan {
        var world = World(containers: [])
        change(&world)
        return Planner.plan(desired: Desired(pools: [us: Pool(country: us, size: 1)]), exits: [:], world: world, now: start)
    }

    @Test func `a token that is refused is told as that, and not as servers that refuse a key`() {
        for (reason, isToken) in [(ExitReason.credentialsRejected, true), (.handshakeTimeout, false)] {
            var breaker = Breaker()
            breaker.fail(reason.rawValue, start, Breaker.ofCredentials)
            let breakers = [BreakerKey.credential(.nordvpn): breaker]
            let alerts = Alerts.of(Alerts.Facts(desired: Desired(), exits: [:], breakers: breakers), now: start)
            #expect(alerts.count == 1 && alerts[0].subject == .credential(.nordvpn))
            #expect(alerts[0].message.contains("refuses the access token") == isToken, "\(alerts[0].message)")
            #expect(alerts[0].message.contains("servers of nordvpn refuse its key") != isToken)
            #expect(!isToken || alerts[0].remedy.contains("access_token_file"))
            let waiting = plan {
                $0.servers = [us: [RankedServer(server: server(1), parts: [])]]
                $0.breakers = breakers
            }
            let exit = waiting.exits.values.first
            #expect(exit?.reason == .credentialsRejected && waiting.launches.isEmpty)
            #expect(exit?.detail?.contains("refuses the access token") == isToken, "\(exit?.detail ?? "")")
        }
    }

    @Test func `servers that can't be had are told in the provider's words, and looked for again`() {
        let words = "surfshark: status 503"
        let waiting = plan { $0.searchProblems = [us: words] }
        let exit = waiting.exits.values.first
        #expect(exit?.reason == .providerUnavailable && exit?.detail == words && waiting.steps.contains(.findServers(us)))
        let facts = Alerts.Facts(desired: Desired(pools: [us: Pool(country: us, size: 1)]), exits: waiting.exits)
        let alert = Alerts.of(facts, Alerts.Memory(unserved: [us: start]), now: start + 31).first
        #expect(alert?.message == "no exit of US serves: \(words)" && alert?.remedy.contains("/api/providers") ?? false)
    }

    @Test func `while new servers can't be had the known ones are used, and new ones looked for`() {
        let going = plan {
            $0.searchProblems = [us: "surfshark: status 503"]
            $0.servers = [us: [RankedServer(server: server(1), parts: [])]]
        }
        #expect(going.launches.count == 1 && going.steps.contains(.findServers(us)))
    }
}
