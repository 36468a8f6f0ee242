import Model
import Platform
import Testing

@testable import WireGuardFiles

/// Files that are broken in every way that a seed can think of.
@Suite(.timeLimit(.minutes(2))) struct BrokenFileTests {
    private static let pieces = [
        "[Interface]", "[Peer]", "[", "PrivateKey", "PresharedKey", "PublicKey", "Address", "DNS", "Endpoint", "AllowedIPs", "MTU", "=",
        "#",
        ";", "\n", "\r\n", "\r", " ", "\t", ",", ":", "0.0.0.0/0", "10.0.0.2/32", "fc00::1/128", "us.example.com:51820", "Country: us",
        "\u{FEFF}", "\u{0}", "\u{301}", "\u{202E}", "é", "🇩🇪", "PostUp", "-1", "99999999999999999999", WireGuardFileTests.key,
        WireGuardFileTests.peerKey, "[Interface]\nPrivateKey = \(WireGuardFileTests.key)\n",
    ]

    /// A good file in which some bytes were changed, or pieces in any order.
    private static func text(_ generator: inout SplitMix64) -> String {
        if Bool.random(using: &generator) {
            return (0..<Int.random(in: 0...60, using: &generator)).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
        }
        var bytes = Array(WireGuardFileTests.plain.utf8)
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            let index = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes.remove(at: index)
            case 2: bytes.insert(contentsOf: Array((pieces.randomElement(using: &generator) ?? "").utf8), at: index)
            default: bytes.removeSubrange(index..<min(bytes.count, index + 20))
            }
            if bytes.isEmpty { break }
        }
        return OperatorText.decode(bytes)
    }

    /// Pieces of the secrets that no message may have.
    private static func leaks(_ words: String) -> Bool {
        [WireGuardFileTests.key].contains { key in
            let characters = Array(key)
            return (0...characters.count - 16).contains { words.contains(String(characters[$0..<$0 + 16])) }
        }
    }

    @Test(arguments: 1...8) func `any text is read, no message has a key, and what is used is sound`(seed: UInt64) {
        var generator = SplitMix64(state: seed)
        for round in 0..<2_500 {
            let text = Self.text(&generator)
            // Line ends that the text is made of decide how many lines there are.
            let count = FileText.lines(text).count
            let files = ServerFiles(["us-1.conf": text], standard: WireGuardFileTests.standard)
            for finding in files.files.flatMap(\.findings) {
                // A private key in the place of the server's is a public one: it is shown.
                let isShown = finding.words.hasPrefix("PublicKey ")
                #expect(isShown || !Self.leaks(finding.words), "seed \(seed), round \(round)")
                #expect(finding.kind != .refused || finding.remedy != nil, "\(finding)")
                #expect((0...count).contains(finding.line))
                #expect(finding.words.utf8.allSatisfy { $0 >= 0x20 }, "seed \(seed), round \(round)")
            }
            for server in files.servers {
                #expect(Base64.isWireGuardKey(server.publicKey) && (1...65_535).contains(server.port))
                #expect(Server.isIPv4(server.address) || HostName.isWhole(server.address), "\(server.address)")
            }
            guard let tunnel = files.files[0].tunnel else { continue }
            #expect(Base64.isWireGuardKey(tunnel.privateKey.revealed) && (1280...1420).contains(tunnel.facts.mtu))
            #expect((1...3).contains(tunnel.facts.dns.count) && tunnel.facts.dns.allSatisfy(Server.isIPv4))
        }
    }
}
