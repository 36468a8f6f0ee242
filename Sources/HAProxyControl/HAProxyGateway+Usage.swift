package import Model
import Platform

/// What HAProxy has counted, and whose connections it cuts.
///
/// Each worker counts for itself, from its start; after a reload the old ones count on until their last connection ends.
/// So a counter's name has the worker in it, and nothing is counted twice or handed over.
extension HAProxyGateway {
    /// Every counter of every worker, and whether all workers answered.
    package func usage() async throws -> (reading: UsageReading, isWhole: Bool) {
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
                // A slot that is free by now: its last exit is not known any more, nor what it did since the last reading.
                guard let exit = occupant(of: name) else { continue }
                reading.counters["\(worker.name) exit \(name)"] = (.exit(exit), usage)
            }
        }
        return (reading, isWhole)
    }

    /// Ends the running connections of these users, also those of old workers. Returns how many there were.
    package func cut(_ users: Set<String>) async throws -> Int {
        guard !users.isEmpty else { return 0 }
        var count = 0
        for worker in try await workers() {
            var clients: Set<String> = []
            for key in RuntimeAnswers.table(try await worker.ask("show table connections")).keys {
                // "alice/198.18.0.1:4711"
                guard let slash = key.firstIndex(of: "/"), users.contains(String(key[..<slash])) else { continue }
                clients.insert(String(key[key.index(after: slash)...]))
            }
            for (stream, client) in RuntimeAnswers.clients(try await worker.ask("show sess"), frontend: "proxy")
            where clients.contains(client) {
                _ = try? await worker.ask("shutdown session \(stream)")
                count += 1
            }
        }
        return count
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
        let ask: @Sendable (String) async throws -> String
    }

    private func workers() async throws -> [Worker] {
        let (stats, master) = (stats, master)
        var workers: [Worker] = []
        let info = try await stats.send("show info")
        if let pid = RuntimeAnswers.info("Pid", in: info).flatMap({ Int($0) }), let name = Self.processName(pid) {
            workers.append(Worker(name: name) { try await stats.send($0) })
        }
        for pid in RuntimeAnswers.processes(try await master.send("show proc")).oldWorkers {
            guard let name = Self.processName(pid) else { continue }
            workers.append(Worker(name: name) { try await master.send("@!\(pid) \($0)") })
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
