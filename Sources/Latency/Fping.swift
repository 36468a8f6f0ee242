import Platform

/// Round-trip times by `fping`: one ICMP echo an address, all at once.
package struct Fping: Sendable {
    private let program: String
    package init(program: String = "fping") { self.program = program }

    /// Addresses of one run of the program.
    private static let batch = 500
    /// Runs at once: each sends a packet a millisecond.
    private static let width = 4

    /// Milliseconds of each IPv4 address that answered within `timeout` milliseconds.
    package func measure(_ addresses: [String], timeout: Int = 300) async throws -> [String: Double] {
        var times: [String: Double] = [:]
        var batches = stride(from: 0, to: addresses.count, by: Self.batch).map {
            Array(addresses[$0..<min($0 + Self.batch, addresses.count)])
        }[...]
        try await withThrowingTaskGroup(of: [String: Double].self) { group in
            for batch in batches.prefix(Self.width) { group.addTask { try await measureBatch(batch, timeout) } }
            batches = batches.dropFirst(Self.width)
            while let part = try await group.next() {
                times.merge(part) { $1 }
                if let batch = batches.popFirst() { group.addTask { try await measureBatch(batch, timeout) } }
            }
        }
        return times
    }

    private func measureBatch(_ addresses: [String], _ timeout: Int) async throws -> [String: Double] {
        // -i 1: its default of 10 ms between two packets is most of the time that a batch takes.
        let options = ["-q", "-C", "2", "-p", "50", "-r", "0", "-i", "1", "-t", String(timeout), "--"]
        let result = try await Programs.run(program, options + addresses, deadline: 10)
        // 0: all answered, 1: some did not, 2: some address is wrong.
        guard (0...2).contains(result.status) else {
            throw ProgramError(program: program, message: "status \(result.status): \(result.output.prefix(200))")
        }
        return Self.parse(result.output)
    }

    /// Lines like `198.18.1.10 : 0.42 -`: the best of an address's times.
    static func parse(_ output: String) -> [String: Double] {
        var times: [String: Double] = [:]
        for line in output.split(separator: "\n") {
            let parts = line.split(separator: ":")
            guard parts.count == 2 else { continue }
            let address = String(parts[0].filter { $0 != " " })
            if let best = parts[1].split(separator: " ").compactMap({ Double($0) }).min() { times[address] = best }
        }
        return times
    }
}
