@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import TestSupport
import Testing

/// Slots while users are busy: whatever is plugged in or out, nobody's request fails.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HAProxySlotTests {
    typealias Subject = GatewaySubject

    private func layout(_ slots: [GatewaySlot], _ others: [GatewayPool] = []) -> GatewayLayout {
        GatewayLayout(pools: [Subject.pool(us, slots, spread: .roundRobin)] + others, users: [Subject.user("alice")])
    }

    @Test(arguments: [false, true])
    func `scaling, replacing and draining under load drop no connection and start no process`(tunnels: Bool) async throws {
        try await Subject.with({ $0.clientLimit = 500 }) { subject in
            let exits = try (1...6).map { try Subject.exit("\($0)") }
            let holding = try Subject.holdingExit("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nfour")
            try await subject.gateway.publish(layout([Subject.slot(7, holding)]))
            let stream = subject.client.stream(subject.request(tunnels: true, deadline: 0))
            var chunks = stream.makeAsyncIterator()
            #expect(try await chunks.next() == Array("four".utf8))
            try await subject.gateway.publish(layout([Subject.slot(1, exits[0]), Subject.slot(7, holding, .drain)]))
            let pid = try await subject.workerPid
            let load = GatewayLoad(subject, tunnels: tunnels)

            func serves(_ names: String..., slots: [GatewaySlot]) async throws {
                let layout = layout(slots + [Subject.slot(7, holding, .drain)])
                try await subject.gateway.publish(layout)
                #expect(try await subject.fileEqualsRuntime(layout))
                let before = load.answers
                try await eventually("\(names) answer", within: 20) {
                    names.allSatisfy { load.answers[$0, default: 0] > before[$0, default: 0] + 3 }
                }
            }
            for _ in 0..<2 {
                // Up, replaced one by one (the new one first), down.
                try await serves("1", "2", "3", slots: [Subject.slot(1, exits[0]), Subject.slot(2, exits[1]), Subject.slot(3, exits[2])])
                try await serves(
                    "4",
                    slots: [
                        Subject.slot(1, exits[0], .drain), Subject.slot(2, exits[1]), Subject.slot(3, exits[2]), Subject.slot(4, exits[3]),
                    ])
                try await eventually("the first has nothing more to do", within: 20) {
                    try await subject.gateway.observe().sessions(country: us, slot: 1) == 0
                }
                try await serves(
                    "3", "4", slots: [Subject.slot(2, exits[1], .drain), Subject.slot(3, exits[2]), Subject.slot(4, exits[3])])
                try await eventually("nor the second", within: 20) {
                    try await subject.gateway.observe().sessions(country: us, slot: 2) == 0
                }
                try await serves("5", slots: [Subject.slot(2, exits[4]), Subject.slot(3, exits[2]), Subject.slot(4, exits[3])])
                try await serves(
                    "1",
                    slots: [
                        Subject.slot(1, exits[0]), Subject.slot(2, exits[4], .drain), Subject.slot(3, exits[2], .drain),
                        Subject.slot(4, exits[3], .drain),
                    ])
                try await eventually("all that drain are empty", within: 20) {
                    let seen = try await subject.gateway.observe()
                    return (2...4).allSatisfy { seen.sessions(country: us, slot: $0) == 0 }
                }
            }
            let failures = await load.stop()
            #expect(failures == [])
            #expect(try await subject.workerPid == pid)
            #expect(try await subject.gateway.observe().sessions(country: us, slot: 7) == 1, "the tunnel from before is still there")
            #expect(await subject.gateway.repairs == 0)
            holding.stop()
        }
    }

    @Test(arguments: [false, true]) func `reloads under load drop no connection`(tunnels: Bool) async throws {
        try await Subject.with({ $0.clientLimit = 500 }) { subject in
            let (exit, holding) = (try Subject.exit("1"), try Subject.holdingExit("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nfour"))
            try await subject.gateway.publish(layout([Subject.slot(7, holding)]))
            var requests = [subject.request(tunnels: true, deadline: 0), subject.request(deadline: 0)]
            requests[1].proxy = "socks5h://127.0.0.1:\(subject.settings.gatewayPort)"
            var streams = requests.map { subject.client.stream($0).makeAsyncIterator() }
            for number in streams.indices { #expect(try await streams[number].next() == Array("four".utf8)) }
            try await subject.gateway.publish(layout([Subject.slot(1, exit), Subject.slot(7, holding, .drain)]))
            let load = GatewayLoad(subject, tunnels: tunnels)
            var pids: Set<Int> = [try await subject.workerPid]
            for country in ["de", "gb", "fr", "ca", "jp"] {
                let before = load.answers["1", default: 0]
                try await eventually("requests go on", within: 20) { load.answers["1", default: 0] > before + 20 }
                let layout = layout(
                    [Subject.slot(1, exit), Subject.slot(7, holding, .drain)], [Subject.pool(try #require(CountryCode(country)))])
                try await subject.gateway.publish(layout)
                #expect(try await subject.fileEqualsRuntime(layout))
                pids.insert(try await subject.workerPid)
            }
            #expect(pids.count == 6, "each was a reload")
            let failures = await load.stop()
            #expect(failures == [])
            #expect(try await subject.gateway.observe().sessions(country: us, slot: 7) == 2, "the tunnels from before are still there")
            holding.stop()
        }
    }
    @Test func `a request whose connection to an exit is still being made goes to another one when that exit is taken out`() async throws {
        try await Subject.with { subject in
            let (dead, exit) = (try FullListener(), try Subject.exit("2"))
            try await subject.gateway.publish(layout([Subject.slot(1, dead.endpoint), Subject.slot(2, exit)]))
            try await withThrowingTaskGroup(of: String.self) { requests in
                for _ in 0..<2 { requests.addTask { try await subject.send().text } }
                try await eventually("one of them waits for the dead exit") {
                    let sessions = try await RuntimeSocket(path: subject.settings.statsSocket).send("show sess")
                    return RuntimeAnswers.carried(sessions).contains { $0.server == "pool-us/s1" && $0.isBeingMade }
                }
                try await subject.gateway.publish(layout([Subject.slot(2, exit)]))
                for try await answer in requests { #expect(answer == "2") }
            }
            exit.stop()
        }
    }
}
