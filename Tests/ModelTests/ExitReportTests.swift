import Model
import Testing

struct ExitReportTests {
    private static let now = Timestamp(milliseconds: 1_700_000_030_000)
    private static let figures = """
        version 0.1.0
        connections 3
        connections_limit 20000
        lookups 10
        lookups_failed 1
        lookup_milliseconds 250
        connects 20
        connects_failed 2
        connect_milliseconds 4000

        """
    private static let tunnel = "handshake_age_seconds 30\nreceived_bytes 4096\nsent_bytes 2048\n"
    private static let table = """
        table inet sallyport_leaks {
        \tcounter leaked {
        \t\tpackets 2 bytes 120
        \t}

        \tchain outside {
        \t\ttype filter hook postrouting priority 500; policy accept;
        \t\tcounter name "leaked"
        \t}
        }

        """

    @Test func `figures, the tunnel and the counter of leaks are read`() throws {
        let status = try #require(ExitReport(Self.figures + Self.tunnel + Self.table, at: Self.now))
        #expect(status.version == "0.1.0" && status.connections == 3)
        #expect(status.lookUps.count == 10 && status.lookUps.failures == 1 && status.lookUps.milliseconds == 250)
        #expect(status.connects.count == 20 && status.connects.failures == 2 && status.connects.milliseconds == 4000)
        #expect(status.tunnel.handshakeAge == 30 && status.tunnel.received == 4096 && status.tunnel.sent == 2048)
        #expect(status.tunnel.leaks == .counted(packets: 2, bytes: 120))
    }

    @Test(
        arguments: [
            ("", LeakCount.unread), ("Error: No such file or directory\n", .removed), ("netlink: Error: out of memory\n", .unread),
            ("table inet sallyport_leaks {\n}\n", .removed), ("table inet sallyport_leaks {\n", .unread),
        ])
    func `what nft says in place of the table is told apart, and silence is no old version`(text: String, leaks: LeakCount) throws {
        #expect(try #require(ExitReport(Self.figures + Self.tunnel + text, at: Self.now)).tunnel.leaks == leaks)
    }

    @Test(arguments: [("0", 0.0), ("-5", 0), (nil, nil)] as [(String?, Double?)])
    func `a handshake of the future is new, and none has no age`(age: String?, read: Double?) throws {
        let line = age.map { "handshake_age_seconds \($0)\n" } ?? ""
        let status = try #require(ExitReport("\(Self.figures)\(line)received_bytes 1\nsent_bytes 1\n", at: Self.now))
        #expect(status.tunnel.handshakeAge == read)
    }

    @Test(arguments: ["", "version 0.1.0\n", figures, tunnel, figures + "received_bytes -1\nsent_bytes 1\n", "<html>\n</html>\n"])
    func `a text without all figures is no status`(text: String) {
        #expect(ExitReport(text, at: Self.now) == nil)
    }
}
