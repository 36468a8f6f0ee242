import Model

/// Reads what HAProxy's runtime API answers.
enum RuntimeAnswers {
    /// `show servers state`: a version line, a header that begins with `#`, a line for each server.
    static func slots(_ text: String) -> [GatewayObservation.Slot] {
        var slots: [GatewayObservation.Slot] = []
        let columns = ["be_name", "srv_name", "srv_addr", "srv_port", "srv_op_state", "srv_admin_state", "srv_uweight"]
        RuntimeTable.read(text, separator: " ", columns: columns) { row in
            guard row.begins(0, with: "pool-"), row.begins(1, with: "s"), let number = Int(row.text(1).dropFirst()),
                let port = row.number(3), let operation = row.number(4), let admin = row.number(5)
            else { return }
            let slot = GatewaySlot(
                number: number, endpoint: Endpoint(address: row.text(2), port: port), state: state(operation, admin),
                weight: row.number(6) ?? GatewaySlot.standardWeight)
            slots.append(.init(backend: row.text(0), slot: slot, sessions: 0))
        }
        return slots
    }

    /// `show servers state`: where the servers of `tunnels` lead to, by the slots that they stand for: `pool-us/s1`.
    static func tunnels(_ text: String) -> [String: Endpoint] {
        var endpoints: [String: Endpoint] = [:]
        RuntimeTable.read(text, separator: " ", columns: ["be_name", "srv_name", "srv_addr", "srv_port"]) { row in
            guard row.text(0) == GatewayPool.tunnels, let port = row.number(3) else { return }
            endpoints[slotName(of: "\(row.text(0))/\(row.text(1))")] = Endpoint(address: row.text(2), port: port)
        }
        return endpoints
    }

    /// The slot that a server stands for: `tunnels/pool-us.s1` is `pool-us/s1`, others are themselves.
    static func slotName(of server: String) -> String {
        guard server.hasPrefix("\(GatewayPool.tunnels)/") else { return server }
        return String(server.dropFirst(GatewayPool.tunnels.count + 1)).replacing(".", with: "/")
    }

    /// From srv_op_state and srv_admin_state (management guide, "show servers state"): bit 0 of the latter is a forced
    /// maintenance, bit 3 a forced drain, bit 2 remembers that the file had `disabled`.
    private static func state(_ operation: Int, _ admin: Int) -> GatewaySlot.State {
        if admin & 0x01 != 0 { return .maintenance }
        if admin & 0x08 != 0 { return .drain }
        return operation == 0 ? .maintenance : .ready
    }

    /// `get var`: the number that a variable holds; 0 where there is none.
    static func variable(_ text: String) -> Int {
        text.split(separator: "value=<").dropFirst().first.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
    }

    /// What one server of a backend carries.
    struct Traffic: Equatable {
        /// Connections now.
        var sessions = 0
        /// Bytes that came from it since the process began.
        var received = 0
        /// Connections that it did not take or answer, since then.
        var errors = 0

        static func + (left: Traffic, right: Traffic) -> Traffic {
            Traffic(
                sessions: left.sessions + right.sessions, received: left.received + right.received, errors: left.errors + right.errors)
        }

        static func += (left: inout Traffic, right: Traffic) { left = left + right }
    }

    /// `show stat`: the traffic of each server, by "backend/server"; of slots both as requests and as tunnels.
    static func traffic(_ text: String) -> [String: Traffic] {
        var traffic: [String: Traffic] = [:]
        RuntimeTable.read(text, separator: ",", columns: ["pxname", "svname", "scur", "bout", "econ", "eresp"]) { row in
            let seen = Traffic(
                sessions: row.number(2) ?? 0, received: row.number(3) ?? 0, errors: (row.number(4) ?? 0) + (row.number(5) ?? 0))
            traffic[slotName(of: "\(row.text(0))/\(row.text(1))"), default: Traffic()] += seen
        }
        return traffic
    }

    /// `show stat`: what each server of a pool has carried since the worker's start, and its connections now, by "backend/server".
    static func usage(_ text: String) -> [String: (usage: Usage, sessions: Int)] {
        var usage: [String: (usage: Usage, sessions: Int)] = [:]
        let columns = ["pxname", "svname", "bin", "bout", "stot", "econ", "eresp", "scur"]
        RuntimeTable.read(text, separator: ",", columns: columns) { row in
            guard row.begins(0, with: "pool-") || row.text(0) == GatewayPool.tunnels && row.begins(1, with: "pool-") else { return }
            func number(_ column: Int) -> Int { row.number(column) ?? 0 }
            let counted = Usage(bytesIn: number(2), bytesOut: number(3), connections: number(4), errors: number(5) + number(6))
            usage["\(row.text(0))/\(row.text(1))"] = (counted, number(7))
        }
        return usage
    }

    /// The value of a line `name: value` of `show info`.
    static func info(_ name: String, in text: String) -> String? {
        for line in text.split(separator: "\n") where line.lowercased().hasPrefix("\(name.lowercased()): ") {
            return String(line.dropFirst(name.count + 2))
        }
        return nil
    }

    /// `show info`: which process it is, by its pid and the second of its start, as no other one of this gateway.
    static func process(_ text: String) -> String? {
        guard let pid = info("Pid", in: text), let start = info("Start_time_sec", in: text) else { return nil }
        return "\(pid)-\(start)"
    }

    /// The pids that `show proc` of the master lists as old workers, and whether the last reload failed.
    static func processes(_ text: String) -> (master: Int?, oldWorkers: [Int], hasFailed: Bool) {
        var section = ""
        var master: Int?
        var old: [Int] = []
        var hasFailed = false
        for line in text.split(separator: "\n") {
            if line.hasPrefix("#") {
                section = String(line)
                continue
            }
            let words = line.split(separator: " ")
            guard words.count > 1, let pid = Int(words[0]) else { continue }
            if words[1] == "master" {
                master = pid
                hasFailed = line.contains("[failed: ") && !line.contains("[failed: 0]")
            }
            if section.contains("old workers"), words[1] == "worker" { old.append(pid) }
        }
        return (master, old, hasFailed)
    }

    /// `show table`: the key and the named numbers of each line: `0x55d: key=alice/us use=0 exp=1 bytes_in_cnt=4`.
    static func table(_ text: String) -> [String: [String: Int]] {
        let lines = text.split(separator: "\n").lazy.filter { $0.hasPrefix("0x") }
        return Dictionary(lines.compactMap(tableEntry), uniquingKeysWith: { $1 })
    }

    private static func tableEntry(_ line: Substring) -> (key: String, numbers: [String: Int])? {
        var key: String?
        var numbers: [String: Int] = [:]
        for word in line.split(separator: " ").dropFirst() {
            guard let mark = word.firstIndex(of: "=") else { continue }
            // A rate has its period in its name: gpc0_rate(1000).
            let name = String(word[..<mark].prefix { $0 != "(" })
            let value = word[word.index(after: mark)...]
            if name == "key" { key = String(value) } else if let number = Int(value) { numbers[name] = number }
        }
        return key.map { ($0, numbers) }
    }

    /// `show table sessions`: those of one user. Their ends are seconds, `gpt0`; their exits numbers, `gpt1`.
    static func sessions(_ text: String, of user: String) -> [ProxySession] {
        let prefix = Array("key=\(user)/".utf8)
        // By bytes: it may have a hundred thousand lines of others.
        return text.utf8.split(separator: 0x0A).compactMap { line in
            guard let blank = line.firstIndex(of: 0x20), line[line.index(after: blank)...].starts(with: prefix),
                let (key, numbers) = tableEntry(Substring(line)), let end = numbers["gpt0"], let exit = numbers["gpt1"]
            else { return nil }
            return ProxySession(
                key: key, exitNumber: UInt32(truncatingIfNeeded: exit), endsAt: Timestamp(milliseconds: Int64(end) * 1000))
        }
    }

    /// `show peers`: true when the section's worker has all that an earlier one had, or has given up to wait for it
    /// (`PEERS_F_RESYNC_LOCAL` and `_REMOTE`: flags 0x3).
    static func peersAreReady(_ text: String) -> Bool {
        guard let line = text.split(separator: "\n").first(where: { $0.contains("id=workers ") }),
            let flags = line.split(separator: " ").first(where: { $0.hasPrefix("flags=0x") }),
            let number = Int(flags.dropFirst(8), radix: 16)
        else { return true }
        return number & 0x3 == 0x3
    }

    /// `show table connections`: whose connection a client's address and port stand for. Another user may have had the same
    /// ones earlier: the entry with the most time left is the last one.
    static func owners(_ text: String) -> [String: String] {
        var latest: [String: (user: String, left: Int)] = [:]
        for (key, numbers) in table(text) {
            // "alice/198.18.0.1:4711"
            guard let slash = key.firstIndex(of: "/") else { continue }
            let (client, left) = (String(key[key.index(after: slash)...]), numbers["exp"] ?? 0)
            if latest[client].map({ $0.left <= left }) ?? true { latest[client] = (String(key[..<slash]), left) }
        }
        return latest.mapValues(\.user)
    }

    /// `show sess`: the address of each stream's client by the stream's id: `0x55d: proto=tcpv4 src=127.0.0.1:4 fe=gateway`. Of a
    /// stream from a Unix socket it says `src=unix:1`, whatever the PROXY protocol said.
    static func clients(_ text: String, frontend: String) -> [String: String] {
        var clients: [String: String] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("0x") && line.contains(" fe=\(frontend) ") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            for word in line.split(separator: " ") where word.hasPrefix("src=") {
                clients[String(line[..<colon])] = String(word.dropFirst(4))
            }
        }
        return clients
    }

    /// `show sess`: each stream that a server carries, by its id, with "backend/server", and whether its connection to that server is still
    /// being made (the server's side is in a state before `SC_ST_EST`, 8).
    static func carried(_ text: String) -> [(id: String, server: String, isBeingMade: Bool)] {
        text.split(separator: "\n").compactMap { line in
            guard line.hasPrefix("0x"), let colon = line.firstIndex(of: ":") else { return nil }
            let words = line.split(separator: " ")
            func word(_ name: String) -> Substring? { words.first { $0.hasPrefix(name) }?.dropFirst(name.count) }
            guard let backend = word("be="), let server = word("srv=") else { return nil }
            let state = word("scb=[").flatMap { Int($0.prefix { $0.isNumber }) } ?? 8
            return (String(line[..<colon]), "\(backend)/\(server)", state < 8)
        }
    }

    /// `show map`: each line is an address, a key and a value.
    static func map(_ text: String) -> [String: String] {
        var entries: [String: String] = [:]
        // By bytes: a map may have thousands of lines, and is read at each look.
        for line in text.utf8.split(separator: 0x0A) {
            let words = line.split(separator: 0x20, maxSplits: 2)
            if words.count == 3 { entries[String(Substring(words[1]))] = String(Substring(words[2])) }
        }
        return entries
    }
}
