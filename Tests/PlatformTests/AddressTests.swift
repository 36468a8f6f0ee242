import Platform
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
        ])
    func `an address that is not of the public internet is private`(text: String) throws {
        #expect(try #require(IPNetwork(text)).isPrivate)
    }

    @Test(
        arguments: [
            "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1", "192.88.98.255", "192.88.100.0",
            "198.17.255.255", "198.20.0.1", "223.255.255.255", "::ffff:8.8.8.8", "64:ff9b::808:808", "2001:200::1", "2001:4860:4860::8888",
            "2002:808:808::1", "2606:4700::1111", "2a00:1450::1",
        ])
    func `an address of the public internet is not private`(text: String) throws {
        #expect(try !#require(IPNetwork(text)).isPrivate)
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
