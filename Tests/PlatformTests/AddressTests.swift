import Model
@testable import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct AddressTests {
    @Test(
        arguments: [
            "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1",
            "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7",
            "203.0.113.7", "224.0.0.1", "239.1.1.1", "255.255.255.255", "::", "::1", "::7f00:1", "::ffff:10.0.0.1", "::ffff:127.0.0.1",
            "64:ff9b::a00:1", "64:ff9b::127.0.0.1", "64:ff9b:1::1", "64:ff9b:1:ffff::808:808", "100::1", "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:20::1", "2001:db8::1", "2002:a00:1::1", "2002:7f00:1::", "3fff::1",
            "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "febf::1", "fec0::1", "feff::1", "ff02::1", "10.0.0.0/8", "fec0::/10",
            // Each form that leads to an IPv4 address: translated, compatible, mapped, Teredo, 6to4, NAT64, ISATAP.
            "::ffff:0:127.0.0.1", "::ffff:0:7f00:1", "::ffff:0:8.8.8.8", "::127.0.0.1", "::8.8.8.8", "::ffff:7f00:1", "2001:0:7f00:1::",
            "2002:c0a8:101::", "2002:a9fe:a9fe::1", "64:ff9b::192.168.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1:2::7f00:1",
            "64:ff9b:2::8.8.8.8",
            "2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:7f00:1", "fe80::5efe:8.8.8.8", "::1:2:3:4", "::5efe:8.8.8.8", "1000::1",
            "4000::1", "8000::1", "ffff::",
        ])
    func `an address that is not of the public internet is private`(text: String) throws {
        #expect(try #require(IPNetwork(text)).isPrivate)
    }

    @Test(
        arguments: [
            "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1", "192.88.98.255", "192.88.100.0",
            "198.17.255.255", "198.20.0.1", "223.255.255.255", "::ffff:8.8.8.8", "64:ff9b::808:808", "2001:200::1", "2001:4860:4860::8888",
            "2002:808:808::1", "2606:4700::5efe:8.8.8.8", "2606:4700::1111", "2a00:1450::1",
        ])
    func `an address of the public internet is not private`(text: String) throws {
        #expect(try !#require(IPNetwork(text)).isPrivate)
    }

    @Test func `webhooks, targets and exits are kept from the same networks`() throws {
        func networks(_ file: String, from begin: String, to end: String) throws -> [String] {
            let text = try Files.read("\(Repository.root)/\(file)")
            let start = try #require(text.firstRange(of: begin)).upperBound
            let list = text[start..<(try #require(text[start...].firstRange(of: end)).lowerBound)]
            return list.split { !($0.isHexDigit || ".:/".contains($0)) }.map(String.init).filter { $0.contains("/") }
        }
        #expect(try networks("haproxy/lua/addresses.lua", from: "local REFUSED = {", to: "}") == SpecialNetworks.targets)
        let exits = try networks("containers/exit/exit", from: "PRIVATE=\"", to: "\"\n")
        #expect(exits == SpecialNetworks.targets.filter { !$0.contains(":") })
        let sixes = try networks("containers/exit/exit", from: "PRIVATE6=\"", to: "\"\n")
        #expect(sixes.filter { !$0.hasPrefix("2002:") } == SpecialNetworks.targets.filter { $0.contains(":") })
        // 6to4's networks that lead to those of IPv4.
        let carried = sixes.compactMap { IPNetwork($0)?.carried?.description }
        #expect(carried == exits.map { String($0.prefix { $0 != "/" }) })
        let carriers = try networks("haproxy/lua/addresses.lua", from: "local CARRIERS = {", to: "}")
        #expect(Set(carriers) == Set(SpecialNetworks.carriers.map(\.0) + ["::ffff:0:0/96"]))
    }

    @Test(arguments: [
        "10.0.0.1\0", "10.0.0.1\0junk", "::1\0", "10.0.0.1\0/8", " 10.0.0.1", "10.0.0.1 ", "::1%lo", "::ffff:10.0.0.1/129",
        "::ffff:1.2.3.4/-1",
    ])
    func `what only begins like an address is none`(text: String) { #expect(IPNetwork(text) == nil) }

    @Test func `an address of IPv4 written in IPv6 is the same, and so is a network`() throws {
        let network = try #require(IPNetwork("::ffff:10.0.0.0/104"))
        let (inside, other) = (try #require(IPNetwork("10.9.9.9")), try #require(IPNetwork("10.0.0.1")))
        #expect(network.description == "10.0.0.0/8" && network.contains(inside))
        #expect(IPNetwork("::ffff:0:0/96")?.description == "0.0.0.0/0")
        let wide = try #require(IPNetwork("::ffff:10.0.0.0/24"))
        #expect(wide.isIPv6 && !wide.contains(other))
    }

    @Test(arguments: ["127.0.0.1", "::1", "10.1.2.3"]) func `an address resolves to itself, once`(address: String) async {
        #expect(await NameResolver.allAddresses(of: address) == [address])
    }

    @Test func `a name has addresses of this machine, and one that is none has none`() async {
        // Too long for a label, so that no resolver is asked.
        let none = String(repeating: "a", count: 70) + ".test"
        let all = await NameResolver.allAddresses(of: "localhost")
        #expect(!all.isEmpty && all.allSatisfy { IPNetwork($0)?.isPrivate == true } && Set(all).count == all.count)
        #expect(await NameResolver.addresses(of: ["localhost", none]) == ["localhost": "127.0.0.1"])
        #expect(await NameResolver.allAddresses(of: none).isEmpty)
    }
}
