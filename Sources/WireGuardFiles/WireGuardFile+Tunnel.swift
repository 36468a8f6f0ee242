package import Model

extension WireGuardFile.Peer {
    /// Whether it leads to most of the internet: somebody's list that leaves out private networks does, that of an office doesn't.
    var leadsOut: Bool {
        let addresses = networks.sorted { $0.first < $1.first }.reduce(into: (count: 0.0, next: UInt64(0))) { sum, network in
            let (first, last) = (max(sum.next, UInt64(network.first.number)), UInt64(network.last.number))
            guard last >= first else { return }
            sum = (sum.count + Double(last - first + 1), last + 1)
        }
        return addresses.count >= 0.75 * 4_294_967_296
    }

    /// The same by IPv6, of which IANA gives out `2000::/3`.
    var leadsOutByIPv6: Bool {
        let all = UInt128(1) << 125...(UInt128(1) << 126 - 1)
        let ranges = networks6.map(\.range).filter { $0.overlaps(all) }.map { $0.clamped(to: all) }.sorted { $0.lowerBound < $1.lowerBound }
        let addresses = ranges.reduce(into: (count: 0.0, next: all.lowerBound)) { sum, range in
            let first = max(sum.next, range.lowerBound)
            guard range.upperBound >= first else { return }
            sum = (sum.count + Double(range.upperBound - first), range.upperBound + 1)
        }
        return addresses.count >= 0.75 * Double(all.upperBound - all.lowerBound)
    }
}

extension WireGuardFile {
    /// All that a tunnel needs.
    package struct Tunnel: Sendable, Equatable {
        package let privateKey: Secret
        package let facts: TunnelFacts
        package let publicKey: String
        package let endpoint: Endpoint
    }

    /// The tunnel that the file describes.
    /// - Parameter standard: what counts where the file says nothing.
    /// - Returns: nil where it has problems, or lacks something: `lacks` says what.
    package func tunnel(_ standard: TunnelFacts) -> Tunnel? {
        guard problems.isEmpty, lacks.isEmpty, let privateKey, let address, let peer, let publicKey = peer.publicKey,
            let endpoint = peer.endpoint
        else { return nil }
        var facts = TunnelFacts(
            clientAddress: address, dns: resolvers.isEmpty ? standard.dns : resolvers, mtu: mtu ?? standard.mtu,
            keepalive: peer.keepalive ?? standard.keepalive)
        facts.clientAddress6 = address6
        facts.presharedKey = peer.presharedKey
        return Tunnel(privateKey: privateKey, facts: facts, publicKey: publicKey, endpoint: endpoint)
    }

    /// What a tunnel of ours needs and the file doesn't have; empty for a text that is no such file, whose finding says so.
    package var lacks: [Finding] {
        guard isConfiguration else { return [] }
        func lack(_ words: String, _ remedy: String) -> Finding { Finding(line: 0, kind: .refused, words: words, remedy: remedy) }
        var found: [Finding] = []
        if privateKey == nil { found.append(lack("has no PrivateKey", "give the whole file, with the key that the provider knows")) }
        if address == nil { found.append(lack("has no IPv4 Address", "ask the provider for a file with one")) }
        guard let peer else {
            found.append(lack("has no one [Peer] that leads to the internet", "keep the one whose AllowedIPs has 0.0.0.0/0"))
            return found
        }
        if peer.publicKey == nil { found.append(lack("has no PublicKey", "give the whole file, with its [Peer]")) }
        if peer.endpoint == nil { found.append(lack("has no Endpoint", "give the whole file, with its [Peer]")) }
        if !peer.leadsOut {
            found.append(
                lack(
                    "has no AllowedIPs that lead to the internet",
                    "ask for a file with AllowedIPs = 0.0.0.0/0: this one reaches a part alone"))
        }
        return found
    }
}
