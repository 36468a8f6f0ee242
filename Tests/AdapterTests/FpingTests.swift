@testable import Latency
import Platform
import Testing

@Suite(.timeLimit(.minutes(1))) struct FpingTests {
    @Test(
        arguments: [
            ("", [:]), ("198.18.1.10 : 0.42 0.40\n", ["198.18.1.10": 0.40]),
            ("198.18.1.10 : - 12\n198.18.1.11 : - -\n", ["198.18.1.10": 12]),
            ("198.18.1.10  : 0.42\n198.18.1.9   : 3.5e1", ["198.18.1.10": 0.42, "198.18.1.9": 35]),
            ("ICMP Host Unreachable from 10.0.0.1 for ICMP Echo sent to 10.9.9.9\n10.9.9.9 : - -\n", [:]), ("nonsense", [:]),
            ("a : b : c", [:]),
        ] as [(String, [String: Double])])
    func `the best of each address's times is read`(output: String, times: [String: Double]) {
        #expect(Fping.parse(output) == times)
    }

    @Test func `addresses that answer are measured`() async throws {
        let times = try await Fping().measure(["127.0.0.1", "127.0.0.2"], timeout: 200)
        #expect(times.keys.sorted() == ["127.0.0.1", "127.0.0.2"])
        #expect(times.values.allSatisfy { (0..<100).contains($0) })
    }

    @Test func `more addresses than one run takes are measured by several`() async throws {
        let addresses = (0..<1_200).map { "127.2.\($0 / 250).\(1 + $0 % 250)" }
        #expect(try await Fping().measure(addresses).count > 1_100)
    }

    @Test func `nothing is measured of nothing, and a missing program is an error`() async throws {
        #expect(try await Fping(program: "no-such-program").measure([]).isEmpty)
        await #expect(throws: ProgramError.self) { try await Fping(program: "no-such-program").measure(["127.0.0.1"]) }
    }
}
