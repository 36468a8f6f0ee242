package import Model
import Platform

/// What HAProxy has counted, and whose connections it cuts.
///
/// Each worker counts for itself, from its start; after a reload the old ones count on until their last connection ends.
/// So a counter's name has the worker in it, and nothing is counted twice or handed over.
extension HAProxyGateway {
    /// Every counter of every worker, and whether all workers answered; nil before this controller has published anything,
    /// since it can't say until then whose counters they are.
    package func usage() async throws -> (reading: UsageReading, isWhole: Bool)? {
        guard lastLayout != nil else { return nil }
        var reading = UsageReading()
        var (workers, isWhole) = try await workers()
        for worker in workers {
            if await !read(worker, into: &reading) { isWhole = false }
        }
        try? await readGuesses()
        return (reading, isWhole)
    }

    /// - Returns: false where the worker does not answer.
    private func read(_ worker: Worker, into reading: inout UsageReading) async -> Bool {
        guard let users = try? await worker.ask("show table usage"), let servers = try? await worker.ask("show stat -1 4 -1") else {
            return false
        }
        read(users: users, of: worker.name.process, into: &reading)
        for (reason, numbers) in RuntimeAnswers.table((try? await worker.ask("show table refusals")) ?? "") {
            reading.refusals["\(worker.name.process) \(reason)"] = (reason, numbers["gpc0"] ?? 0)
        }
        for attempt in GatewayAttempt.allCases {
            guard let text = try? await worker.ask("get var proc.sallyport_\(attempt.rawValue)") else { continue }
            reading.attempts["\(worker.name.process) \(attempt.rawValue)"] = (attempt, RuntimeAnswers.variable(text))
        }
        for (name, server) in RuntimeAnswers.usage(servers) where !server.usage.isEmpty {
            let exit = occupant(of: RuntimeAnswers.slotName(of: name))
            reading.counters["\(worker.name.process) exit \(name)"] = (exit.map { .exit($0) }, server.usage)
            if let exit, server.sessions > 0 { reading.openByExit[exit, default: 0] += server.sessions }
        }
        return true
    }

    /// The table `usage`, whose keys are a user and a country: `alice/us`.
    private func read(users text: String, of process: String, into reading: inout UsageReading) {
        for (key, numbers) in RuntimeAnswers.table(text) {
            let words = key.split(separator: "/")
            guard words.count == 2, let country = CountryCode(String(words[1])) else { continue }
            let usage = Usage(
                bytesIn: numbers["bytes_in_cnt"] ?? 0, bytesOut: numbers["bytes_out_cnt"] ?? 0,
                connections: (numbers["http_req_cnt"] ?? 0) + (numbers["gpc0"] ?? 0),
                errors: (numbers["http_fail_cnt"] ?? 0) + (numbers["gpc1"] ?? 0))
            reading.counters["\(process) user \(key)"] = (.user(UserAccount(String(words[0])), country), usage)
        }
    }

    /// How many connections each user has now, also in old workers; a user without one is not in it. The newest worker is told of
    /// those of users with a limit.
    package func openByUser() async throws -> [String: Int] {
        guard lastLayout != nil else { return [:] }
        let counts = try await connectionsOfUsers()
        try await publishElsewhere(counts.filter(\.key.isOld).values.reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) })
        return counts.values.reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) }
    }

    /// Ends the running connections of these users, also those of old workers. Returns how many there were.
    package func cut(_ users: Set<String>) async throws -> Int {
        guard !users.isEmpty else { return 0 }
        var count = 0
        for worker in try await workers().answering {
            let streams = RuntimeAnswers.clients(try await worker.ask("show sess"), frontend: "gateway")
            let owners = worker.name.isOld ? oldOwners : RuntimeAnswers.owners(try await worker.ask("show table connections"))
            for (stream, client) in streams where owners[client].map(users.contains) ?? false {
                _ = try? await worker.ask("shutdown session \(stream)")
                count += 1
            }
        }
        return count
    }

    /// Notes before a reload whose the running connections are.
    func rememberOwners() async {
        var known = oldOwners
        if let table = try? await sockets.stats.send("show table connections") { known.merge(RuntimeAnswers.owners(table)) { $1 } }
        var running: Set<String> = []
        for worker in (try? await workers().answering) ?? [] {
            guard let streams = try? await worker.ask("show sess") else { continue }
            running.formUnion(RuntimeAnswers.clients(streams, frontend: "gateway").values)
        }
        oldOwners = known.filter { running.contains($0.key) }
    }

    private func occupant(of name: String) -> ExitID? {
        for pool in lastLayout?.pools ?? [] {
            for slot in pool.slots where "\(pool.backendName)/\(slot.name)" == name { return slot.occupant?.exit }
        }
        return nil
    }

    struct Worker: Sendable {
        let name: WorkerName
        let ask: @Sendable (String) async throws -> String
    }

    struct WorkerName: Hashable, Sendable {
        /// No other process of this gateway has it: its pid and the second of its start. Both are its own words, since it may be in
        /// another container, where our /proc says nothing about it.
        let process: String
        /// It takes no new connections.
        let isOld: Bool
    }

    /// Those that answer, and whether all do.
    func workers() async throws -> (answering: [Worker], isWhole: Bool) {
        // Amid a reload the master is deaf for a moment.
        _ = await isRunning()
        let sockets = sockets
        let info = try await sockets.stats.send("show info")
        guard let name = RuntimeAnswers.process(info) else {
            throw HAProxyError(code: .disagrees, action: "reading HAProxy's facts", message: "there is no Pid or Start_time_sec among them")
        }
        var isWhole = true
        var workers = [Worker(name: WorkerName(process: name, isOld: false)) { try await sockets.stats.send($0) }]
        for pid in RuntimeAnswers.processes(try await sockets.master.send("show proc")).oldWorkers {
            // It has ended meanwhile, or is only slow: what it has counted is not to be forgotten.
            guard let info = try? await sockets.master.send("@!\(pid) show info"), let name = RuntimeAnswers.process(info) else {
                isWhole = false
                continue
            }
            workers.append(Worker(name: WorkerName(process: name, isOld: true)) { try await sockets.master.send("@!\(pid) \($0)") })
        }
        return (workers, isWhole)
    }
}
