@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
import TestSupport
import Testing

/// Sessions and strategies, on a real HAProxy.
@Suite(.timeLimit(.minutes(1))) struct HAProxySessionTests {
    typealias Subject = GatewaySubject
    private let alice = GatewaySubject.user("alice")
    private let bob = GatewaySubject.user("bob")
    private let ids = (1...6).map { "\($0)" }

    private func layout(_ exits: [ScriptedServer], spread: Spread = .roundRobin) -> GatewayLayout {
        GatewayLayout(
            pools: [Subject.pool(us, exits.indices.map { Subject.slot($0 + 1, exits[$0]) }, spread: spread)], users: [alice, bob])
    }

    /// The exit that each session of a user leads to.
    private func places(_ subject: Subject, user: String = "alice", key: String = "session") async throws -> [String] {
        var places: [String] = []
        for id in ids { places.append(try await subject.send("\(user)-country-us-\(key)-\(key.prefix(1))\(id)").text) }
        return places
    }

    @Test func `a session stays on its exit, also through a reload and under another controller`() async throws {
        try await Subject.with { subject in
            let exits = try (1...4).map { try Subject.exit("exit \($0)") }
            var layout = layout(exits)
            try await subject.gateway.publish(layout)
            let places = try await places(subject)
            #expect(Set(places).count > 1, "sessions are spread")
            #expect(try await self.places(subject) == places)
            #expect(try await self.places(subject, user: "bob") != places, "an id is the user's own")

            // More exits would win some of the sessions if they weren't remembered.
            let more = try (5...8).map { try Subject.exit("exit \($0)") }
            layout = self.layout(exits + more)
            try await subject.gateway.publish(layout)
            #expect(try await self.places(subject) == places)

            let worker = try await subject.workerPid
            layout.pools.append(Subject.pool(de))
            try await subject.gateway.publish(layout)
            #expect(try await subject.workerPid != worker)
            let socket = RuntimeSocket(path: subject.settings.statsSocket)
            try await eventually("the table is handed over") {
                RuntimeAnswers.table(try await socket.send("show table sessions")).count >= 2 * ids.count
            }
            #expect(try await self.places(subject) == places, "after a reload")

            let other = try HAProxyGateway(
                share: "\(Repository.root)/haproxy", settings: subject.settings, log: .none, ownAddresses: subject.ownAddresses)
            try await other.publish(layout)
            #expect(try await self.places(subject) == places, "under another controller")
        }
    }

    @Test(arguments: [("stlouis", "exit 1"), ("St._Louis", "exit 1"), ("queretaro", "exit 2"), ("dallas", "no_exit_in_city\n")])
    func `a city is asked for by its letters, however the provider writes it`(city: String, answer: String) async throws {
        try await Subject.with { subject in
            let exits = try (1...2).map { try Subject.exit("exit \($0)") }
            var layout = layout(exits)
            for (index, city) in ["St. Louis", "Querétaro"].enumerated() { layout.pools[0].slots[index].occupant?.city = city }
            try await subject.gateway.publish(layout)
            #expect(try await subject.send("alice-country-us-city-\(city)").text == answer)
        }
    }

    @Test func `when an exit dies, soft sessions move and hard ones say so`() async throws {
        try await Subject.with { subject in
            let exits = try (1...2).map { try Subject.exit("exit \($0)") }
            try await subject.gateway.publish(layout(exits))
            let soft = try await places(subject)
            let hard = try await places(subject, key: "hardsession")
            #expect(Set(soft) == ["exit 1", "exit 2"] && Set(hard) == ["exit 1", "exit 2"])

            // Its proxy is gone, and the controller doesn't know yet: a soft session's request is tried elsewhere.
            exits[0].stop()
            for (index, id) in ids.enumerated() {
                #expect(try await subject.send("alice-country-us-session-s\(id)").text == "exit 2")
                let answer = try await subject.send("alice-country-us-hardsession-h\(id)")
                if hard[index] == "exit 2" {
                    #expect(answer.text == "exit 2")
                } else {
                    #expect(answer.status == 502 && answer.headers["x-sallyport-reason"] == "exit_failed", "\(answer)")
                }
            }
            // Now it is unplugged, and another one has its slot.
            let new = try Subject.exit("exit 3")
            var pool = Subject.pool(us, [Subject.slot(1, new), Subject.slot(2, exits[1])])
            pool.slots[0].occupant?.generation = 2
            try await subject.gateway.publish(GatewayLayout(pools: [pool], users: [alice]))
            for (index, id) in ids.enumerated() {
                let place = try await subject.send("alice-country-us-session-s\(id)").text
                #expect(soft[index] == "exit 2" ? place == "exit 2" : ["exit 2", "exit 3"].contains(place))
                let answer = try await subject.send("alice-country-us-hardsession-h\(id)")
                if hard[index] == "exit 2" {
                    #expect(answer.text == "exit 2")
                } else {
                    #expect(answer.status == 502 && answer.headers["x-sallyport-reason"] == "session_exit_gone")
                }
            }
        }
    }

    /// What `http://ip.sallyport/rotate` answers to a user name.
    private func rotate(_ subject: Subject, _ user: String, tunnels: Bool = false) async throws -> (status: Int, text: String) {
        var request = subject.request(user, tunnels: tunnels)
        request.url = "http://ip.sallyport/rotate"
        let answer = try await subject.client.send(request)
        return (answer.status, answer.text)
    }

    @Test(arguments: ["session", "hardsession"]) func `a session moves when its user asks for that`(key: String) async throws {
        try await Subject.with { subject in
            let exits = try (1...3).map { try Subject.exit("exit \($0)") }
            try await subject.gateway.publish(layout(exits))
            let user = "alice-country-us-\(key)-a1"
            let first = try await rotate(subject, user)
            #expect(first.status == 409 && first.text.contains("the session begins with this request"))
            let bob = try await subject.send("bob-country-us-session-a1").text
            for _ in 0..<6 {
                let before = try await subject.send(user).text
                let moved = try await rotate(subject, user)
                #expect(moved.status == 200 && moved.text.contains(#""rotated": true"#) && !moved.text.contains("advice"), "\(moved)")
                let after = try await subject.send(user).text
                #expect(after != before)
                #expect(try await subject.send(user).text == after, "it stays there")
            }
            #expect(try await subject.send("bob-country-us-session-a1").text == bob, "nobody else's moves")
            // In place of an exit that is gone: also for a session that does not move by itself.
            let place = try await subject.send(user).text
            let rest = exits.indices.filter { "exit \($0 + 1)" != place }
            try await subject.gateway.publish(
                GatewayLayout(pools: [Subject.pool(us, rest.map { Subject.slot($0 + 1, exits[$0]) })], users: [alice]))
            #expect(try await rotate(subject, user).status == 200)
            #expect(try await subject.send(user).status == 200)
        }
    }

    @Test func `a user's sessions are read, and moved with their next request`() async throws {
        try await Subject.with { subject in
            let exits = try (1...3).map { try Subject.exit("exit \($0)") }
            try await subject.gateway.publish(layout(exits))
            let places = try await places(subject)
            _ = try await subject.send("bob-country-us-session-s1")
            let now = SystemClock.now()
            let sessions = try await subject.gateway.sessions(of: "alice", now: now)
            #expect(
                Set(sessions.map(\.name)) == Set(ids.map { "s\($0)" }) && sessions.allSatisfy { $0.countries == [us] && $0.city == nil })
            #expect(sessions.allSatisfy { (590...600).contains($0.endsAt - now) })
            for (id, place) in zip(ids, places) {
                let number = try #require(place.last?.wholeNumberValue)
                let occupant = GatewayOccupant(exit: ExitID(country: us, number: number), generation: 1)
                #expect(sessions.first { $0.name == "s\(id)" }?.exitNumber == occupant.number)
            }
            #expect(try await subject.gateway.sessions(of: "ali", now: now).isEmpty)
            #expect(try await subject.gateway.sessions(of: "alice", now: now + 700).isEmpty)

            let bob = try await subject.send("bob-country-us-session-s1").text
            try await subject.gateway.move(sessions.filter { $0.name == "s1" })
            #expect(try await subject.gateway.sessions(of: "alice", now: now).count == ids.count - 1, "it begins anew")
            let moved = try await self.places(subject)
            #expect(moved[0] != places[0] && moved.dropFirst() == places.dropFirst(), "\(moved), \(places)")
            #expect(try await self.places(subject) == moved, "it stays there")
            #expect(try await subject.send("bob-country-us-session-s1").text == bob)
            try await eventually("what was read last counts for a second") {
                try await subject.gateway.sessions(of: "alice", now: now).count == ids.count
            }
        }
    }

    @Test func `who can't be moved is told why`() async throws {
        try await Subject.with { subject in
            let exit = try Subject.exit("exit 1")
            try await subject.gateway.publish(layout([exit]))
            _ = try await subject.send("alice-country-us-session-a1")
            for (user, tunnels, advice) in [
                ("alice-country-us", false, "no session"), ("alice-country-us-session-a1", false, "no other exit serves"),
                ("alice-country-us-session-a1", true, "not heard inside a tunnel"),
            ] {
                let answer = try await rotate(subject, user, tunnels: tunnels)
                #expect(answer.status == 409 && answer.text.contains(#""rotated": false"#) && answer.text.contains(advice), "\(answer)")
            }
            #expect(try await subject.send("alice-country-us-session-a1").text == "exit 1")
        }
    }

    @Test func `a session ends after its time, however often it is used`() async throws {
        try await Subject.with { subject in
            try await subject.gateway.publish(layout([try Subject.exit("american")]))
            let socket = RuntimeSocket(path: subject.settings.statsSocket)
            _ = try await subject.send("alice-country-us-session-a-sesstime-1")
            let text = try await socket.send("show table sessions")
            let until = try #require(
                text.firstMatch(of: /gpt0=(\d+)/)?.1.description ?? text.firstMatch(of: /gpt\(\d+\)=(\d+)/)?.1.description)
            _ = try await subject.send("alice-country-us-session-a-sesstime-1")
            #expect(try await socket.send("show table sessions").contains(until), "the end stays where it was")
            #expect(try await subject.send("alice-country-us-session-a-sesstime-0").headers["x-sallyport-reason"] == "bad_sesstime")
        }
    }

    @Test func `when its time is over a session begins anew, maybe elsewhere`() async throws {
        // Minutes of two seconds.
        let code = try Subject.code("users.lua", replacing: "(values.sesstime or 10) * 60", with: "(values.sesstime or 10) * 2")
        try await Subject.with({ $0.luaFolder = code.path }) { subject in
            try await subject.gateway.publish(layout(try (1...4).map { try Subject.exit("exit \($0)") }))
            let socket = RuntimeSocket(path: subject.settings.statsSocket)
            func look() async throws -> (until: Int, place: String, asked: Int) {
                let place = try await subject.send("alice-country-us-session-a-sesstime-1").text
                let asked = Int(SystemClock.now().milliseconds / 1000)
                let text = try await socket.send("show table sessions")
                let until = try #require(text.firstMatch(of: /gpt0=(\d+)/)?.1 ?? text.firstMatch(of: /gpt\(\d+\)=(\d+)/)?.1)
                return (try #require(Int(until)), place, asked)
            }
            var places: Set<String> = []
            var last = try await look()
            // Each new beginning takes any of the four.
            try await eventually("it has moved", within: 60) {
                let seen = try await look()
                if seen.until == last.until {
                    #expect(seen.place == last.place, "it stays as long as its time")
                } else {
                    #expect(seen.asked >= last.until, "it does not end before its time: \(seen), \(last)")
                }
                places.insert(seen.place)
                last = seen
                return places.count > 1
            }
        }
    }

    @Test func `without a session the pool's strategy decides`() async throws {
        try await Subject.with { subject in
            let exits = try (1...3).map { try Subject.exit("\($0)") }
            try await subject.gateway.publish(layout(exits))
            #expect(try await subject.answers(30) == ["1": 10, "2": 10, "3": 10], "round robin: one after the other")

            try await subject.gateway.publish(layout(exits, spread: .random))
            let random = try await subject.answers(90)
            #expect(random.count == 3 && random.values.allSatisfy { $0 >= 10 } && random.keys.allSatisfy { $0.count == 1 }, "\(random)")

            // Latency and health score become weights.
            for spread in [Spread.latency, .score] {
                var layout = layout(exits, spread: spread)
                for (index, weight) in [100, 50, 10].enumerated() { layout.pools[0].slots[index].weight = weight }
                try await subject.gateway.publish(layout)
                let answers = try await subject.answers(160)
                #expect(answers["1"].map { (95...105).contains($0) } ?? false, "\(spread): \(answers)")
                #expect(answers["2"].map { (45...55).contains($0) } ?? false, "\(spread): \(answers)")
                #expect(answers["3"].map { (5...15).contains($0) } ?? false, "\(spread): \(answers)")
            }
        }
    }

    @Test func `least connections go to the exit that has the fewest`() async throws {
        try await Subject.with { subject in
            let holding = try Subject.holdingExit()
            var layout = layout([holding], spread: .leastConnections)
            try await subject.gateway.publish(layout)
            let held = (1...3).map { _ in Task { try await subject.client.send(subject.request(tunnels: true, deadline: 0)) } }
            try await eventually("three are held") { try await subject.gateway.observe().sessions(country: us, slot: 1) == 3 }
            layout.pools[0].slots[1] = Subject.slot(2, try Subject.exit("free"))
            try await subject.gateway.publish(layout)
            #expect(try await subject.answers(10) == ["free": 10])
            for task in held {
                task.cancel()
                _ = try? await task.value
            }
        }
    }
}
