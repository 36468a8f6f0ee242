import Model

/// Networks that are none of the public internet, as `IPNetwork` compares them.
enum PrivateNetworks {
    static let translated = IPNetwork("64:ff9b::/96")
    static let all = (SpecialNetworks.targets + SpecialNetworks.laboratories).compactMap(IPNetwork.init)

    /// Where an IPv6 address leads to an IPv4 one: the network, and the first byte of that. A mapped one is read as IPv4.
    static let carriers = SpecialNetworks.carriers.compactMap { text, start in IPNetwork(text).map { ($0, start) } }
}
