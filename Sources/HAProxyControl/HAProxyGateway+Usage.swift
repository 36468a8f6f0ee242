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
        var isWhole = true
        for worker in try await workers() {
            guard let users = try? await worker.ask("show table usage"), let servers = try? await worker.ask("show stat -1 4 -1") else {
                isWhole = false
                continue
            }
            for (key, numbers) in RuntimeAnswers.table(users) {
                let words = key.split(separator: "/")
                guard words.count == 2, let country = CountryCode(String(words[1])) else { continue }
                let usage = Usage(
                    bytesIn: numbers["bytes_in_cnt"] ?? 0, bytesOut: numbers["bytes_out_cnt"] ?? 0,
                    connections: numbers["http_req_cnt"] ?? 0, errors: numbers["http_fail_cnt"] ?? 0)
                reading.counters["\(worker.name) user \(key)"] = (.user(String(words[0]), country), usage)
            }
            for (name, usage) in RuntimeAnswers.usage(servers) where !usage.isEmpty {
                reading.counters["\(worker.name) exit \(name)"] = (occupant(of: name).map { .exit($0) }, usage)
            }
        }
        return (reading, isWhole)
    }

    /// The users who have connections now, also in old workers.
    package func activeUsers() async throws -> Set<String> {
        guard lastLayout != nil else { return [] }
        var users: Set<String> = []
        for worker in try await workers() {
            guard let answer = try? await worker.ask("show table users data.conn_cur gt 0") else { continue }
            users.formUnion(RuntimeAnswers.table(answer).keys)
        }
        return users
    }

    /// Ends the running connections of these users, also those of old workers. Returns how many there were.
    package func cut(_ users: Set<String>) async throws -> Int {
        guard !users.isEmpty else { return 0 }
        var count = 0
        for worker in try await workers() {
            let streams = RuntimeAnswers.clients(try await worker.ask("show sess"), frontend: "gateway")
            let owners = worker.isOld ? oldOwners : RuntimeAnswers.owners(try await worker.ask("show table connections"))
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
        if let table = try? await stats.send("show table connections") { known.merge(RuntimeAnswers.owners(table)) { $1 } }
        var running: Set<String> = []
        for worker in (try? await workers()) ?? [] {
            guard let streams = try? await worker.ask("show sess") else { continue }
            running.formUnion(RuntimeAnswers.clients(streams, frontend: "gateway").values)
        }
        oldOwners = known.filter { running.contains($0.key) }
    }

    private func occupant(of server: String) -> ExitID? {
        for pool in lastLayout?.pools ?? [] {
            for slot in pool.slots where "\(pool.backendName)/\(slot.name)" == server { return slot.occupant?.exit }
        }
        return nil
    }

    private struct Worker: Sendable {
        /// No other process has it: its pid and the moment of its start.
        let name: String
        let isOld: Bool
        let ask: @Sendable (String) async throws -> String
    }

    private func workers() async throws -> [Worker] {
        // Amid a reload the master is deaf for a moment.
        _ = await isRunning()
        let (stats, master) = (stats, master)
        var workers: [Worker] = []
        let info = try await stats.send("show info")
        if let pid = RuntimeAnswers.info("Pid", in: info).flatMap({ Int($0) }), let name = Self.processName(pid) {
            workers.append(Worker(name: name, isOld: false) { try await stats.send($0) })
        }
        for pid in RuntimeAnswers.processes(try await master.send("show proc")).oldWorkers {
            guard let name = Self.processName(pid) else { continue }
            workers.append(Worker(name: name, isOld: true) { try await master.send("@!\(pid) \($0)") })
        }
        return workers
    }

    /// The pid and the kernel's start time of a process (proc(5), field 22 of stat).
    private static func processName(_ pid: Int) -> String? {
        guard let stat = try? Files.read("/proc/\(pid)/stat"), let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        return fields.count > 19 ? "\(pid)-\(fields[19])" : nil
    }
}
