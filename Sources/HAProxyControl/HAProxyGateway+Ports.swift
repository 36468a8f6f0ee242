import Model
import Planning
import Platform

/// Ports that somebody else has. HAProxy shares a port with another HAProxy without a word, each of them answering some of the
/// connections; and a port that it can't have at all would keep it from every other change.
extension HAProxyGateway {
    /// Opens the entries that were left out, once their ports are free.
    package func refreshPorts() async throws {
        if hasRemains { await mutex.withLock { await sweep() } }
        guard let layout = lastLayout else { return }
        let address = settings.address(of: layout)
        let free = configuration.heldPorts.filter { (try? Ports.check(address, $0)) != nil }
        guard !free.isEmpty else { return }
        try await mutex.withLock {
            configuration.heldPorts.subtract(free)
            if let layout = lastLayout { try await make(layout, isRepair: false) }
        }
    }

    /// Notes which entries can't be opened now. Without the gateway port there is nothing to run.
    /// - Parameter isServing: true where our own HAProxy has those of its file.
    func leaveOutHeldPorts(_ layout: GatewayLayout, isServing: Bool) async throws {
        // In another container the ports are none of this network.
        guard settings.isStartedByUs, let ours = isServing ? ownPorts() : [] else { return }
        var held: Set<Int> = []
        // Those of an HAProxy that was killed a moment ago are about to be free.
        let end = ContinuousClock.now + .seconds(3)
        for entry in configuration.entries(of: layout) where !ours.contains(entry.port) {
            let isKnown = configuration.heldPorts.contains(entry.port)
            guard let error = await refusal(of: entry.port, settings.address(of: layout), until: isKnown ? .now : end) else { continue }
            guard entry.port != settings.gatewayPort else {
                throw HAProxyError(code: .refused, action: "opening the gateway", message: "\(error); set \(entry.setting)")
            }
            if !isKnown { log.warning("a port of the gateway stays closed", ["error": "\(error)", "setting": entry.setting]) }
            held.insert(entry.port)
        }
        configuration.heldPorts = held
    }

    /// The ports of the file that our own HAProxy serves by; nil where somebody has changed it: whose the ports are can't be told then, and
    /// a reload is what puts it right.
    private func ownPorts() -> Set<Int>? {
        let text = (try? Files.read(file, limit: 16 << 20)) ?? published?.files[file] ?? ""
        let ports = HAProxyConfiguration.ports(in: text)
        return ports.isEmpty ? nil : ports
    }

    /// Why nobody can listen there, if that stays so.
    private func refusal(of port: Int, _ address: String, until end: ContinuousClock.Instant) async -> (any Error)? {
        while true {
            do {
                try Ports.check(address, port)
                return nil
            } catch {
                guard ContinuousClock.now < end, !Task.isCancelled else { return error }
                try? await Task.sleep(for: .milliseconds(50))
            }
        }
    }
}
