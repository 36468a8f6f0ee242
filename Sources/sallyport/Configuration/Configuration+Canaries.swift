import Control
import Model
import Planning
import Platform

extension Configuration {
    struct Canaries: Sendable {
        var list: [Canary] = []
        var seconds = 1_800.0
        var action = CanaryAction.rank
    }

    /// What follows where a canary is blocked at an exit: it ranks lower for new sessions, or is replaced too.
    enum CanaryAction: String, CaseIterable, Sendable { case rank, replace }

    private static let canariesAtMost = 16

    /// - Parameter reader: of `verification`.
    static func readCanaries(_ reader: FieldReader) -> Canaries {
        let section = reader.section("canaries")
        var canaries = Canaries()
        if section.keys.count > canariesAtMost {
            reader.problem("canaries", "has \(section.keys.count) entries, expected at most \(canariesAtMost)")
        }
        canaries.list = section.keys.compactMap { readCanary($0, section.section($0), of: section) }
        canaries.seconds = reader.number("canary_seconds", in: 10...86_400) ?? canaries.seconds
        canaries.action = reader.choice("canary_action", CanaryAction.self) ?? canaries.action
        return canaries
    }

    private static func readCanary(_ name: String, _ reader: FieldReader, of section: FieldReader) -> Canary? {
        let isName =
            (1...40).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D
            }
        if !isName { section.problem(name, "is not a canary's name, expected 1 to 40 of a-z 0-9 -") }
        let url = reader.required("url", reader.string("url"), want: "the target's URL")
        let statuses = reader.integers("status", in: 100...599, limit: 16) ?? []
        let text = reader.string("text", atLeast: 1, limit: 200)
        guard let url else { return nil }
        if let problem = problem(ofCanary: url) { reader.problem("url", problem) }
        return Canary(name: name, url: url, statuses: Set(statuses), text: text)
    }

    /// Why a URL can't be a canary's; nil where it can.
    static func problem(ofCanary url: String) -> String? {
        guard url.hasPrefix("https://") || url.hasPrefix("http://") else { return "is not an http or https URL" }
        let rest = url[(url.firstRange(of: "://")?.upperBound ?? url.startIndex)...]
        let authority = rest.prefix { !"/?#".contains($0) }
        // What is not repeated: it may be a password.
        if authority.contains("@") { return "has a user or a password, expected none: canaries are asked without secrets" }
        let host = AddressServices.host(url)
        let isPlain = !host.isEmpty && url.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        guard isPlain else { return "has no host, or a blank, expected a URL like https://shop.example/" }
        if host == "localhost" || host.hasSuffix(".localhost") { return "leads to this machine, expected a target on the internet" }
        guard let address = IPNetwork(host) else { return nil }
        if address.isIPv6 { return "leads to an IPv6 address, which exits don't reach" }
        let isPrivate = SpecialNetworks.unseen.compactMap(IPNetwork.init).contains { $0.contains(address) }
        return isPrivate ? "leads to a private network, expected a target on the internet" : nil
    }
}
