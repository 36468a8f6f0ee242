import Model
import Planning
import Platform
import Providers
import TestSupport
import Testing

@testable import Lab

/// The lists that the lab makes, broken in tens of thousands of ways.
@Suite(.timeLimit(.minutes(5))) struct LabListFuzzTests {
    private static let shapes: [(provider: Provider, name: String)] = [
        (.nordvpn, "version 1"), (.nordvpn, "version 2"), (.surfshark, "clusters"),
    ]

    private static func list(_ shape: Int) -> [UInt8] {
        let layout = LabLayout()
        let catalog = LabCatalog(layout, LabKeys(layout), size: 4)
        return Array([catalog.version1(limit: 6), catalog.version2(limit: 6), catalog.clusters()][shape].utf8)
    }

    @Test(arguments: Array(shapes.indices)) func `ten thousand broken lists of the lab's never crash, and what is kept is sound`(shape: Int)
        async throws
    {
        try await heavily {
            let (good, provider) = (Self.list(shape), Self.shapes[shape].provider)
            let whole = try ListReader.read(good, of: provider)
            #expect(!whole.servers.isEmpty)
            var generator = SplitMix64(state: UInt64(3_000 + shape))
            var (refused, kept) = (0, 0)
            for _ in 0..<10_000 {
                do {
                    let list = try ListReader.read(Mutation.of(good, using: &generator), of: provider)
                    kept += list.servers.count
                    #expect(list.rows == list.servers.count + list.dropped.values.reduce(0, +))
                    for server in list.servers {
                        #expect(Base64.isWireGuardKey(server.publicKey) && server.load.map { (0...100).contains($0) } ?? true)
                        #expect(Server.isIPv4(server.address) || server.address == server.hostname)
                    }
                } catch let error as ProviderError {
                    refused += 1
                    #expect(error.code == .badAnswer)
                }
            }
            #expect(kept > 1_000 && refused > 1_000, "kept \(kept), refused \(refused)")
        }
    }
}
