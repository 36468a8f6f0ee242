import FoundationEssentials
import Model
import Testing

@Suite struct PoolTests {
    private let us = CountryCode("us")!  // Every country code of ISO 3166-1 reads.

    @Test func `a wish for an exit changes the limits that it names, and an empty list takes one away`() {
        let old = Pool(country: us, size: 1, limits: ServerLimits(tags: ["p2p"], hostnames: ["us1.lab.test"]))
        let wish = ExitRequest(country: us, limits: ServerLimits(hostnames: [], exclude: ["us2.lab.test"]))
        let pool = wish.grown(old)
        #expect(pool.size == 2 && pool.limits == ServerLimits(tags: ["p2p"], exclude: ["us2.lab.test"]))
        #expect(pool.difference(from: old) == "size 1 to 2, hostnames us1.lab.test to any, exclude none to us2.lab.test")
        #expect(ExitRequest(country: us).grown(old).limits == old.limits)
    }

    @Test func `pools and wishes that an older version stored have no limits`() throws {
        let pool = #"{"country":"US","size":2,"strategy":"balanced"}"#
        #expect(try JSONDecoder().decode(Pool.self, from: Data(pool.utf8)) == Pool(country: us, size: 2))
        let wish = try JSONDecoder().decode(ExitRequest.self, from: Data(#"{"country":"US"}"#.utf8))
        #expect(wish.grown(Pool(country: us, size: 1, limits: ServerLimits(tags: ["p2p"]))).limits.tags == ["p2p"])
    }
}
