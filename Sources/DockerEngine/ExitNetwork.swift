package import Model
import Platform
import Synchronization

/// The network that new exits are put on.
struct ExitNetwork: Sendable {
    var name: String
    /// This machine's own address on it.
    var gateway: String
    /// Whether what is on it gets IPv6 addresses.
    var hasIPv6: Bool
}

/// Exits get addresses of our choice, which an engine allows only on a network whose subnet was given when it was made.
extension ExitContainers {
    /// The network that is configured, and the one that takes its place while exits of an earlier version are on it.
    var networks: [String] { [settings.network, "\(settings.network)-2"] }

    /// Makes sure that the network of the exits exists; returns the gateway's address on it.
    package func prepareNetwork() async throws -> String { try await network().gateway }

    func network() async throws -> ExitNetwork {
        if let known = prepared.withLock({ $0 }) { return known }
        return try await preparing.withLock { try await prepare() }
    }

    private func prepare() async throws -> ExitNetwork {
        if let known = prepared.withLock({ $0 }) { return known }
        for name in networks {
            guard let found = try await usable(name) else { continue }
            guard let address = found.gateway else {
                throw EngineError(code: .unreadable, action: "preparing network \(name)", message: "it has no IPv4 gateway address")
            }
            let network = ExitNetwork(name: name, gateway: address, hasIPv6: found.hasIPv6)
            prepared.withLock { $0 = network }
            return network
        }
        throw EngineError(
            code: .refused, action: "preparing network \(settings.network)",
            message: "exits can't have fixed addresses on it nor on \(networks[1]); remove both when nothing is on them")
    }

    /// A network on which addresses can be chosen, made where there is none; nil for one of an earlier version that is still in use.
    private func usable(_ name: String) async throws -> NetworkDetails? {
        if let found = try await engine.network(name) {
            if takesAddresses(found) { return found }
            guard found.containers?.isEmpty ?? true else { return nil }
            _ = try warrant()
            do { try await engine.removeNetwork(name) } catch let error as EngineError where error.code == .refused { return nil }
            log.info("made the exits' network again, so that addresses on it can be chosen", ["network": name])
        }
        try await make(name)
        return try await engine.network(name)
    }

    /// Of somebody else's network nothing tells; who makes one for exits gives it a subnet, as the documentation says.
    private func takesAddresses(_ network: NetworkDetails) -> Bool {
        guard network.labels?[ExitLabel.owner] == settings.owner else { return true }
        if let subnet = settings.subnet, network.subnet == IPv4Network(subnet) { return true }
        return network.labels?[ExitLabel.addresses] == "chosen"
    }

    private func make(_ name: String) async throws {
        do { return try await make(name, keepsApart: true) } catch let error as EngineError {
            guard error.code == .refused, NetworkCreate.needsBridgeFilter(error.message) else { throw error }
            // Their own firewalls let nobody in but the gateway, so it is a second lock.
            log.warning(
                "the engine can't keep containers on one network apart: the kernel module br_netfilter is not loaded (modprobe br_netfilter); "
                    + "the exits' own firewalls still do", ["network": name])
            try await make(name, keepsApart: false)
        }
    }

    private func make(_ name: String, keepsApart: Bool) async throws {
        for turn in 1...3 {
            let subnet = if let given = settings.subnet { given } else { try await freeSubnet() }
            let network = NetworkCreate.ofExits(name, subnet: subnet, owner: settings.owner, keepsApart: keepsApart)
            _ = try warrant()
            do { return try await engine.createNetwork(network) } catch let error as EngineError {
                if error.code == .conflict { return }
                // Somebody else has got the subnet meanwhile.
                guard settings.subnet == nil, turn < 3, error.message.lowercased().contains("overlap") else { throw error }
            }
        }
    }

    /// A subnet that the engine holds to be free: it knows the machine's routes and its other networks.
    private func freeSubnet() async throws -> String {
        let name = "\(settings.network)-subnet"
        _ = try warrant()
        do {
            try await engine.createNetwork(.ofExits(name, subnet: nil, owner: settings.owner, keepsApart: false))
        } catch let error as EngineError where error.code == .conflict {}
        let subnet = try await engine.network(name)?.subnet
        try await engine.removeNetwork(name)
        guard let subnet else {
            throw EngineError(code: .unreadable, action: "looking for a free subnet", message: "the engine's network has no IPv4 subnet")
        }
        return "\(subnet)"
    }

    // MARK: - Addresses

    /// The addresses that exits can be given, without those that something on the network has.
    package func addressSpace() async throws -> AddressSpace {
        let place = try await network()
        guard let network = try await engine.network(place.name), let range = network.addresses.config?.first(where: { $0.ipv4 != nil }),
            let subnet = range.ipv4
        else {
            prepared.withLock { $0 = nil }
            throw EngineError(code: .unreadable, action: "inspecting network \(place.name)", message: "it has no IPv4 subnet")
        }
        let wanted = range.ipRange.flatMap(IPv4Network.init) ?? subnet
        var taken = (network.containers ?? [:]).values.compactMap(\.address) + [place.gateway] + (range.auxiliaryAddresses ?? [:]).values
        taken += [subnet.first.description, subnet.last.description]
        // Who may ask exits' proxies is no exit; unless all may.
        let sources = settings.gatewayNetwork.flatMap(IPv4Network.init).flatMap {
            $0.contains(wanted.first) && $0.contains(wanted.last) ? nil : $0
        }
        return AddressSpace(
            network: wanted, taken: Set(taken.compactMap { IPv4Address($0.prefix { $0 != "/" }) }), excluded: sources, name: place.name)
    }
}

extension AddressManagement.Range {
    var ipv4: IPv4Network? { subnet.flatMap(IPv4Network.init) }
}

extension NetworkDetails {
    var hasIPv6: Bool {
        enableIPv6 ?? false || addresses.config?.contains { $0.subnet.flatMap(IPNetwork.init)?.isIPv6 ?? false } ?? false
    }
    package var subnet: IPv4Network? { addresses.config?.lazy.compactMap(\.ipv4).first }
}
