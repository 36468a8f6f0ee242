import DockerEngine
import Platform

/// The accounts of the lab's provider: keys that its servers take or refuse, and the tunnels that each has.
extension Lab {
    /// Every server forgets an account's key, as after its end.
    func refuse(_ account: LabKeys.Account) async throws { try await tellAll("refuse", account) }

    func accept(_ account: LabKeys.Account) async throws { try await tellAll("accept", account) }

    /// From now on all servers together give an account so many tunnels at once, and answer no handshake of others; nil for no limit. A tunnel
    /// counts until it was silent for three seconds.
    func limit(_ account: LabKeys.Account, to devices: Int?) async throws {
        try await tellAll("limit", account, "none")
        if let devices { try await tellAll("limit", account, "\(devices)") }
    }

    private func tellAll(_ word: String, _ account: LabKeys.Account, _ value: String? = nil) async throws {
        let words = [word, account.client.publicKey] + (value.map { [$0] } ?? [])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for server in layout.servers { group.addTask { try await self.control(server, words) } }
            try await group.waitForAll()
        }
    }

    /// The servers at which each account has a tunnel, by the account's name: those whose bytes from its key have grown in these seconds.
    func devices(within seconds: Double = 2) async throws -> [String: [String]] {
        let before = try await received()
        try await Task.sleep(for: .seconds(seconds))
        let after = try await received()
        var devices: [String: [String]] = [:]
        for (server, counts) in after {
            for (account, bytes) in counts where bytes > before[server]?[account] ?? bytes { devices[account, default: []].append(server) }
        }
        return devices.mapValues { $0.sorted() }
    }

    /// Bytes by server and account.
    private func received() async throws -> [String: [String: Int]] {
        let names = Dictionary(keys.accounts.map { ($0.client.publicKey, $0.name) }) { first, _ in first }
        return try await withThrowingTaskGroup(of: (String, [String: Int]).self) { group in
            for server in layout.servers {
                group.addTask {
                    let lines = try await self.control(server, "clients").split(separator: "\n").map { $0.split(separator: " ") }
                    return (
                        server.container,
                        lines.reduce(into: [:]) { counts, words in
                            if words.count == 3, let name = names[String(words[0])] { counts[name] = Int(words[2].filter(\.isNumber)) ?? 0 }
                        }
                    )
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }
}
