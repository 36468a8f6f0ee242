@testable import DockerEngine
import Model
import Testing

/// What the one program that runs inside an exit answers.
struct TunnelReadingTests {
    private static let tunnel = """
        V6sTX+o9qfhJ7Hq8bTqCXyqLYwWBe9QDrwNSqqqqqqo=\t1700000000
        V6sTX+o9qfhJ7Hq8bTqCXyqLYwWBe9QDrwNSqqqqqqo=\t4096\t2048

        """
    private static func table(counter: String = "packets 0 bytes 0", rule: String = "counter name \"leaked\"") -> String {
        """
        table inet sallyport_leaks {
        \tcounter leaked {
        \t\t\(counter)
        \t}

        \tchain allowed {
        \t\toifname "eth0" ip daddr 198.18.1.10 udp dport 51820 meta mark 0x0000ca6c accept
        \t}

        \tchain outside {
        \t\ttype filter hook postrouting priority 500; policy accept;
        \t\toifname { "lo", "wg0" } accept
        \t\tjump allowed
        \t\t\(rule)
        \t}
        }

        """
    }

    private func leaks(_ text: String) -> LeakCount? {
        ExitContainers.reading(Self.tunnel + text, at: Timestamp(milliseconds: 1_700_000_030_000))?.leaks
    }

    @Test func `the tunnel's figures are read with and without a counter of leaks`() throws {
        for rest in ["", Self.table(), "nft: out of memory\n"] {
            let reading = try #require(ExitContainers.reading(Self.tunnel + rest, at: Timestamp(milliseconds: 1_700_000_030_000)))
            #expect(reading.handshakeAge == 30 && reading.received == 4096 && reading.sent == 2048)
        }
        #expect(ExitContainers.reading("", at: Timestamp(milliseconds: 0)) == nil)
    }

    @Test func `what the firewall counted is read, and a version that does not count is no leak`() {
        #expect(leaks("") == .notCounted)
        #expect(leaks(Self.table()) == .counted(packets: 0, bytes: 0))
        #expect(leaks(Self.table(counter: "packets 12 bytes 3456")) == .counted(packets: 12, bytes: 3456))
    }

    @Test func `a counter that is gone, or that nothing counts into, is told from one that could not be read`() {
        #expect(leaks("Error: No such file or directory\nlist table inet sallyport_leaks\n                ^^^^\n") == .removed)
        #expect(leaks("table inet sallyport_leaks {\n}\n") == .removed)
        #expect(leaks(Self.table(rule: "accept")) == .removed)
        #expect(leaks("netlink: Error: cache initialization failed: Cannot allocate memory\n") == .unread)
        #expect(leaks("table inet sallyport_leaks {\n\tcounter leaked {\n") == .unread)
        #expect(leaks("sh: nft: not found\n") == .unread)
    }
}
