/// Networks that are none of the public internet (RFC 6890 and its successors, IANA's registries of special-purpose addresses).
///
/// `haproxy/lua/addresses.lua` and `containers/exit/exit` have the same list for the targets of proxy users, but for `laboratory`.
enum PrivateNetworks {
    /// Of IPv6 these are all but `2000::/3`, which alone IANA gives out, and parts of that. Teredo (RFC 4380) is in `2001::/23`; mapped,
    /// compatible and translated addresses, NAT64 inside of one network (RFC 8215) and the discard prefix are in `::/3`.
    static let texts = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
        "::/3", "2001::/23", "2001:db8::/32", "3fff::/20", "4000::/2", "8000::/1",
    ]
    /// For measurements; the lab's internet has it, so a target may be there.
    static let laboratory = "198.18.0.0/15"
    static let translated = IPNetwork("64:ff9b::/96")
    static let all = (texts + [laboratory]).compactMap(IPNetwork.init)

    /// Where an IPv6 address leads to an IPv4 one: the network, and the first byte of that. A mapped one is read as IPv4.
    static let carriers = [("64:ff9b::/96", 12), ("2002::/16", 2)].compactMap { text, start in IPNetwork(text).map { ($0, start) } }
}
