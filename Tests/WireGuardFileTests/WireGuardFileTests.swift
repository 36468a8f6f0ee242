import Model
import Testing

@testable import WireGuardFiles

/// Files as providers and people make them.
@Suite struct WireGuardFileTests {
    static let key = "c2FsbHlwb3J0LWh1bnQtcHJpdmF0ZS1zYWxseXBvcnQ="
    static let peerKey = "c2FsbHlwb3J0LWh1bnQtcHVibGljLS1zYWxseXBvcnQ="
    static let standard = TunnelFacts(clientAddress: "", dns: ["9.9.9.9"], mtu: 1380, keepalive: 25)

    static let plain = """
        [Interface]
        PrivateKey = \(key)
        Address = 10.64.12.34/32
        DNS = 10.64.0.1

        [Peer]
        PublicKey = \(peerKey)
        AllowedIPs = 0.0.0.0/0
        Endpoint = 193.0.2.10:51820

        """

    /// The plain file with one line in place of the one of the same name, or added behind its section's head.
    private static func file(_ line: String, in section: String = "[Interface]") -> WireGuardFile {
        let name = line.prefix { $0 != " " && $0 != "=" }
        var lines = plain.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if let index = lines.firstIndex(where: { $0.hasPrefix("\(name) ") }) {
            lines[index] = line
        } else if let index = lines.firstIndex(of: section) {
            lines.insert(line, at: index + 1)
        }
        return WireGuardFile(lines.joined(separator: "\n"))
    }

    @Test func `what a tunnel needs is taken`() throws {
        let tunnel = try #require(WireGuardFile(Self.plain).tunnel(Self.standard))
        #expect(tunnel.privateKey.revealed == Self.key && tunnel.publicKey == Self.peerKey)
        #expect(tunnel.endpoint == .init(host: "193.0.2.10", port: 51820))
        #expect(tunnel.facts == TunnelFacts(clientAddress: "10.64.12.34/32", dns: ["10.64.0.1"], mtu: 1380, keepalive: 25))
        let bare = Self.plain.replacing("DNS = 10.64.0.1\n", with: "")
        #expect(WireGuardFile(bare).tunnel(Self.standard)?.facts.dns == ["9.9.9.9"], "what it doesn't say is the standard")
    }

    @Test(arguments: ["\n", "\r\n", "\r"]) func `each line end, blanks, signs and cases are read`(end: String) {
        let text =
            "\u{FEFF}; made by hand\n  [ interface ] # mine\nprivatekey=\(Self.key)#\nADDRESS =10.64.12.34\n[PEER]\n\tPublicKey\t=\t\(Self.peerKey)\n"
            + "AllowedIPs=0.0.0.0/1, 128.0.0.0/1,::/0\nEndpoint = US-STL.prod.example.com.:51820"
        let file = WireGuardFile(text.replacing("\n", with: end))
        #expect(file.problems.isEmpty && file.lacks.isEmpty, "\(file.problems) \(file.lacks)")
        #expect(file.address == "10.64.12.34/32" && file.peer?.endpoint == .init(host: "us-stl.prod.example.com", port: 51820))
        #expect(file.comments.map(\.text) == ["made by hand", "mine"])
    }

    /// Lines that are taken, and what of them is used and told.
    @Test(arguments: [
        (
            "Address = 10.64.12.34/32,fc00:bbbb:bbbb:bb01::1:c21/128", "[Interface]",
            "Address fc00:bbbb:bbbb:bb01::1:c21/128 is not used: AllowedIPs lead nowhere by IPv6, expected ::/0 there too"
        ),
        ("Address = 10.64.12.34/32, 10.64.12.35/32", "[Interface]", "Address 10.64.12.35/32 is not used: the first one is"),
        (
            "DNS = 10.64.0.1, corp.example.com", "[Interface]",
            "DNS corp.example.com is a search domain, and not used: exits look up whole names"
        ),
        ("DNS = 10.64.0.1, fc00::1", "[Interface]", "DNS fc00::1 is not used: exits ask resolvers by IPv4"),
        ("MTU = 1500", "[Interface]", "MTU 1420 is used in place of 1500: exits take 1280 to 1420"),
        (
            "PostUp = iptables -A FORWARD -i %i -j ACCEPT; rm -rf /", "[Interface]",
            "PostUp is a command for a machine's own tunnel: it is never run here"
        ),
        ("PreDown = true", "[Interface]", "PreDown is a command for a machine's own tunnel: it is never run here"),
        ("ListenPort = 51820", "[Interface]", "ListenPort is not used: an exit takes a free port"),
        ("Table = off", "[Interface]", "Table is not used: an exit has its own routes"),
        ("FwMark = 0xca6c", "[Interface]", "FwMark is not used: an exit has its own"),
        ("SaveConfig = true", "[Interface]", "SaveConfig is not used: the file is never written"),
        ("Moon = full", "[Interface]", "Moon is unknown here, and not used"),
        ("PersistentKeepalive = off", "[Peer]", "PersistentKeepalive 0 is used"),
        ("PresharedKey = \(key)", "[Peer]", "PresharedKey is used (not shown)"),
        ("Endpoint = de1.example.com:443", "[Peer]", "Endpoint de1.example.com:443 is used: the name is looked up again for each tunnel"),
        ("[Fancy]\nMoon = full\n[Interface]", "[Interface]", "[Fancy] is no section of WireGuard's: it and its lines are not used"),
    ]) func `a line that changes nothing is told, and costs nothing`(line: String, section: String, words: String) {
        let file = Self.file(line, in: section)
        #expect(file.tunnel(Self.standard) != nil, "\(file.problems) \(file.lacks)")
        #expect(file.findings.contains { $0.words == words }, "\(file.findings.map(\.words))")
    }

    /// Addresses and AllowedIPs, and what of IPv6 the tunnel has.
    @Test(
        arguments: [
            ("10.64.12.34/32, fc00:bbbb::2/128", "0.0.0.0/0, ::/0", "fc00:bbbb::2/128", "Address fc00:bbbb::2/128 is used"),
            ("fc00:bbbb::2, 10.64.12.34", "0.0.0.0/0,::0/0", "fc00:bbbb::2/128", "Address fc00:bbbb::2/128 is used"),
            ("10.64.12.34, 2606:4700::2/64", "0.0.0.0/0, 2000::/3", "2606:4700::2/64", "Address 2606:4700::2/64 is used"),
            ("10.64.12.34, 2606:4700::2/64", "0.0.0.0/0, ::/1, 8000::/1", "2606:4700::2/64", "Address 2606:4700::2/64 is used"),
            ("10.64.12.34, fd00::2, fd00::3", "0.0.0.0/0, ::/0", "fd00::2/128", "Address fd00::3/128 is not used: the first one is"),
            (
                "10.64.12.34, fd00::2", "0.0.0.0/0", nil,
                "Address fd00::2/128 is not used: AllowedIPs lead nowhere by IPv6, expected ::/0 there too"
            ),
            (
                "10.64.12.34, fd00::2", "0.0.0.0/0, 2606:4700::/32, fd00::/8", nil,
                "Address fd00::2/128 is not used: AllowedIPs lead nowhere by IPv6, expected ::/0 there too"
            ),
            ("10.64.12.34, fe80::1/64", "0.0.0.0/0, ::/0", nil, "Address fe80::1/64 is not used: no tunnel to the internet has it"),
            ("10.64.12.34, ::1", "0.0.0.0/0, ::/0", nil, "Address ::1/128 is not used: no tunnel to the internet has it"),
        ] as [(String, String, String?, String)])
    func `an IPv6 address is used where the peer leads to the internet by IPv6`(given: String, allowed: String, six: String?, words: String)
        throws
    {
        let text = Self.plain.replacing("10.64.12.34/32", with: given).replacing("0.0.0.0/0", with: allowed)
        let file = WireGuardFile(text)
        let tunnel = try #require(file.tunnel(Self.standard), "\(file.problems) \(file.lacks)")
        #expect(tunnel.facts.clientAddress6 == six && tunnel.facts.clientAddress.hasPrefix("10.64.12.34/"))
        #expect(file.findings.contains { $0.words == words }, "\(file.findings.map(\.words))")
        #expect(file.findings.map(\.line) == file.findings.map(\.line).sorted())
    }

    /// Lines with which the file can't be used.
    @Test(arguments: [
        ("PrivateKey = c2FsbHlwb3J0", "[Interface]", "PrivateKey is no WireGuard key"),
        ("PrivateKey =", "[Interface]", "PrivateKey has no value"),
        ("Address = 10.64.12.34/33", "[Interface]", "Address 10.64.12.34/33 is no address"),
        ("Address = 10.64.12.34/0", "[Interface]", "Address 10.64.12.34/0 can't be a tunnel's"),
        ("Address = 127.0.0.1/32", "[Interface]", "Address 127.0.0.1/32 can't be a tunnel's"),
        ("MTU = many", "[Interface]", "MTU many is none"),
        ("Jc = 4", "[Interface]", "Jc is AmneziaWG's: its server does not understand plain WireGuard"),
        ("nonsense", "[Interface]", "is no section and no \"Name = value\""),
        ("\(key)", "[Interface]", "has no name of WireGuard's before its ="),
        ("PresharedKey = \(key)", "[Interface]", "PresharedKey stands in the wrong section"),
        ("Endpoint = 193.0.2.10", "[Peer]", "Endpoint 193.0.2.10 has no port"),
        ("Endpoint = 193.0.2.10:0", "[Peer]", "Endpoint's port 0 is none"),
        ("Endpoint = 193.0.2.10:99999", "[Peer]", "Endpoint's port 99999 is none"),
        ("Endpoint = [2001:db8::1]:51820", "[Peer]", "Endpoint [2001:db8::1]:51820 is of IPv6: exits reach servers by IPv4"),
        ("Endpoint = server:51820", "[Peer]", "Endpoint server is neither an IPv4 address nor a whole name"),
        ("Endpoint = 300.1.1.1:51820", "[Peer]", "Endpoint 300.1.1.1 is neither an IPv4 address nor a whole name"),
        ("AllowedIPs = everything", "[Peer]", "AllowedIPs everything is no network"),
        ("PersistentKeepalive = 70000", "[Peer]", "PersistentKeepalive 70000 is none"),
    ]) func `a line that can't be meant is refused with its number and a remedy`(line: String, section: String, words: String) throws {
        let file = Self.file(line, in: section)
        #expect(file.tunnel(Self.standard) == nil)
        let problem = try #require(file.problems.first { $0.words == words }, "\(file.problems.map(\.words))")
        #expect(problem.line > 0 && problem.remedy != nil)
    }

    @Test(arguments: [
        ("PrivateKey", "has no PrivateKey"), ("Address", "has no IPv4 Address"), ("PublicKey", "has no PublicKey"),
        ("Endpoint", "has no Endpoint"), ("AllowedIPs", "has no AllowedIPs that lead to the internet"),
    ]) func `what is missing is told`(name: String, words: String) {
        let text = Self.plain.split(separator: "\n").filter { !$0.hasPrefix("\(name) ") }.joined(separator: "\n")
        let file = WireGuardFile(text)
        #expect(file.tunnel(Self.standard) == nil)
        #expect(file.lacks.map(\.words) == [words])
    }

    @Test(arguments: [
        ("0.0.0.0/0", true), ("0.0.0.0/1, 128.0.0.0/1", true), ("10.0.0.0/8, 192.168.0.0/16", false), ("::/0", false),
        ("0.0.0.0/2, 64.0.0.0/2, 128.0.0.0/2, 192.0.0.0/9", true), ("0.0.0.0/1, 0.0.0.0/1, 64.0.0.0/2", false),
    ]) func `networks lead to the internet or to a part of it`(networks: String, isMost: Bool) {
        #expect((Self.file("AllowedIPs = \(networks)", in: "[Peer]").tunnel(Self.standard) != nil) == isMost)
    }

    @Test func `of several peers the one is taken that leads to the internet`() throws {
        let office = "[Peer]\nPublicKey = \(Self.key)\nAllowedIPs = 192.168.1.0/24\nEndpoint = 193.0.2.99:51820\n"
        for text in [Self.plain + office, Self.plain.replacing("[Peer]", with: office + "[Peer]")] {
            let tunnel = try #require(WireGuardFile(text).tunnel(Self.standard))
            #expect(tunnel.publicKey == Self.peerKey && tunnel.endpoint.host == "193.0.2.10")
        }
        let both = WireGuardFile(Self.plain + office.replacing("192.168.1.0/24", with: "0.0.0.0/0"))
        #expect(both.tunnel(Self.standard) == nil && both.lacks.map(\.words) == ["has no one [Peer] that leads to the internet"])
    }

    @Test func `a field that stands twice with different values is refused`() {
        let twice = WireGuardFile(Self.plain.replacing("[Peer]", with: "PrivateKey = \(Self.peerKey)\n[Peer]"))
        #expect(twice.problems.map(\.words) == ["PrivateKey is given twice, with different values"])
        #expect(WireGuardFile(Self.plain.replacing("[Peer]", with: "PrivateKey = \(Self.key)\n[Peer]")).tunnel(Self.standard) != nil)
    }

    @Test(arguments: [
        ("client\ndev tun\nremote 193.0.2.1 1194\n<ca>\n", "is no WireGuard file, but OpenVPN's, for it has no [Interface]"),
        ("http {\n  server {\n  }\n}\n", "is no WireGuard file, but nginx's, for it has no [Interface]"),
        ("{\"servers\": []}", "is no WireGuard file, but JSON, for it has no [Interface]"),
        ("<!DOCTYPE html><html>", "is no WireGuard file, but a page or XML, for it has no [Interface]"),
        ("", "is no WireGuard file: it is empty, for it has no [Interface]"),
        ("hosts: files dns\n", "is no WireGuard file, for it has no [Interface]"),
        ("\(key)\n", "is no WireGuard file, for it has no [Interface]"),
    ]) func `another program's file is called that`(text: String, words: String) {
        let file = WireGuardFile(text)
        #expect(!file.isConfiguration && file.findings.map(\.words) == [words] && file.tunnel(Self.standard) == nil)
    }
}
