import FoundationEssentials
import Model
import Testing

/// The rows of exits, which controllers of several versions read and write in one store.
@Suite struct ExitRowTests {
    /// Every field that the version before writes, in the order of their names.
    private static let full =
        #"{"attempts":2,"avoid":[{"hostname":"us7","until":"2026-11-21T01:01:01.001Z"}],"carried_bytes":77,"container":"c","#
        + #""detail":"no answer","endpoint":{"address":"172.31.0.2","port":3128},"exit_country":"US","exit_ip":"198.18.1.1","generation":3,"#
        + #""health":{"failures":1,"score":0.5,"verdict":"degraded","weight":50},"id":"us-1","knows_credential":true,"#
        + #""last_failure":{"at":"2026-11-21T01:01:01.002Z","detail":"gone","is_servers_fault":false,"reason":"container_gone","#
        + #""took_traffic":true},"leaving":true,"outclassed_since":"2026-11-21T01:01:01.003Z","proved_at":"2026-11-21T01:01:01.004Z","#
        + #""reason":"blackhole","retry_at":"2026-11-21T01:01:01.005Z","server":{"address":"198.18.2.1","city":"Dallas","country":"US","#
        + #""hostname":"us1","port":51820,"provider":"nordvpn","public_key":"k","tags":[]},"since":"2026-11-21T01:01:01.006Z","slot":4,"#
        + #""state":"degraded"}"#

    @Test func `a row says that its tunnel has IPv6 where that is so`() throws {
        var exit = try read(Self.full)
        #expect(!exit.hasIPv6)
        exit.hasIPv6 = true
        let text = try written(exit)
        #expect(text.contains(#""ipv6":true"#))
        #expect(try read(text).hasIPv6)
    }

    private func read(_ text: String) throws -> Exit { try JSONDecoder().decode(Exit.self, from: Data(text.utf8)) }

    private func written(_ exit: Exit) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return String(decoding: try encoder.encode(exit), as: UTF8.self)
    }

    @Test func `a row of the version before is read and written field by field`() throws {
        let exit = try read(Self.full)
        #expect(try written(exit) == Self.full)
        #expect(exit.proof.address == "198.18.1.1" && exit.proof.country?.rawValue == "US" && exit.proof.carriedBytes == 77)
        #expect(exit.proof.at == Timestamp("2026-11-21T01:01:01.004Z") && exit.slot == 4 && exit.knowsCredential && exit.leaving)
    }

    @Test(arguments: ["attempts", "carried_bytes", "generation", "health", "leaving", "slot", "since", "state"])
    func `a row without a field that every version writes is not read`(name: String) {
        #expect(throws: DecodingError.self) { try read(Self.full.replacing("\"\(name)\":", with: "\"another\":")) }
    }
}
