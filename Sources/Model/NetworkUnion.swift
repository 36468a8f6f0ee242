/// What several networks cover together.
package struct NetworkUnion: Sendable {
    /// Public addresses that networks may have together where they stand for a password: those of an IPv4 `/8`, and those of an IPv6
    /// `/16`. No operator has more of them, and a list of more is a way to write "everybody".
    package static let mostIPv4 = UInt128(1) << 24
    package static let mostIPv6 = UInt128(1) << 112

    /// Sorted, and apart from each other.
    private var ranges: [ClosedRange<UInt128>] = []

    package init(_ networks: some Sequence<Network>) {
        for range in networks.map(\.range).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = ranges.last, range.lowerBound <= last.upperBound {
                ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                ranges.append(range)
            }
        }
    }

    /// Addresses of these in a network.
    private func count(in whole: ClosedRange<UInt128>) -> UInt128 {
        ranges.filter { $0.overlaps(whole) }.map { $0.clamped(to: whole) }.reduce(0) { $0 + ($1.upperBound - $1.lowerBound) + 1 }
    }

    /// Those of them that are addresses of the public internet.
    package var publicIPv4: UInt128 { count(in: Network.ipv4) - Self.special.reduce(0) { $0 + count(in: $1.range) } }
    /// IANA gives out `2000::/3` alone.
    package var publicIPv6: UInt128 { count(in: Self.globalUnicast) }

    /// Why these can't stand for a password; nil where they can.
    package var excess: String? {
        let (v4, v6) = (publicIPv4, publicIPv6)
        if v4 > Self.mostIPv4 { return "\(v4) public IPv4 addresses, expected at most \(Self.mostIPv4), as many as a /8 has," }
        // As a share: their number has up to 38 digits.
        if v6 > Self.mostIPv6 {
            return "\((v6 + Self.mostIPv6 - 1) / Self.mostIPv6) times the IPv6 addresses of a /16, expected at most one,"
        }
        return nil
    }

    private static let globalUnicast = UInt128(0x2000) << 112...(UInt128(0x4000) << 112) - 1

    /// Networks of IPv4 that have no place in the public internet, apart from each other.
    private static let special = SpecialNetworks.uncounted.compactMap(Network.init)
}

extension ProxyUser {
    /// The networks that need no password, as they are understood.
    package var openNetworks: [Network] { addressRule == .insteadOfPassword ? addresses.compactMap(Network.init) : [] }

    /// Users of these whose networks may stand for a password. The others were stored before their sum was looked at: each by itself, or
    /// on top of those before it, would let in too much of the internet.
    package static func openUsers(among users: [ProxyUser]) -> (admitted: [ProxyUser], refused: [ProxyUser]) {
        let open = users.filter { !$0.openNetworks.isEmpty }.sorted { $0.name < $1.name }
        if NetworkUnion(open.flatMap(\.openNetworks)).excess == nil { return (open, []) }
        var networks: [Network] = []
        var (admitted, refused): ([ProxyUser], [ProxyUser]) = ([], [])
        for user in open {
            let more = networks + user.openNetworks
            if NetworkUnion(more).excess == nil {
                networks = more
                admitted.append(user)
            } else {
                refused.append(user)
            }
        }
        return (admitted, refused)
    }

    /// Why a user's networks can't stand for a password beside those of the others; nil where they can. Networks that the user has
    /// already are no reason: such a user must be one that can be disabled.
    package func openProblem(before: ProxyUser?, others: [ProxyUser]) -> String? {
        let networks = openNetworks
        guard !Set(networks).isSubset(of: before?.openNetworks ?? []) else { return nil }
        let present = Self.openUsers(among: others.filter { $0.name != name }).admitted
        guard let excess = NetworkUnion(networks + present.flatMap(\.openNetworks)).excess else { return nil }
        let all = ([self] + present).flatMap { user in user.openNetworks.map { "\($0.text) of \(user.name)" } }
        let shown = all.prefix(20).joined(separator: ", ") + (all.count > 20 ? " and \(all.count - 20) more" : "")
        return "\(shown): together \(excess) for networks without a password"
    }
}
