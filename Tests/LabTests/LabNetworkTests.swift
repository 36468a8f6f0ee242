import DockerEngine
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

/// Where the lab must not begin.
struct LabNetworkTests {
    @Test(arguments: [
        (["10.0.0.4", "198.18.0.1"], "198.18.0.1 is an address of this machine already"), (["198.19.0.1", "198.17.255.255", "::1"], nil),
    ])
    func `a lab does not begin where an interface has an address of its network already`(addresses: [String], error: String?) throws {
        let folder = try TemporaryFolder()
        let lab = try Lab(
            layout: LabLayout(name: "sallyport-test-other", network: 18, hasMortals: false), folder: folder.path, imageArchive: "none.tar",
            engine: EngineClient(address: "unix:///run/no-engine.sock", client: HTTPClient()), log: .none)
        guard let error else { return try lab.refuseForeignAddresses(addresses) }
        let thrown = #expect(throws: LabError.self) { try lab.refuseForeignAddresses(addresses) }
        #expect(thrown?.message.hasPrefix(error) == true && thrown?.message.contains("ip link delete") == true)
    }
}
