import Control
import HTTPTransport
import Model
import Platform
@testable import sallyport
import TestSupport
import Testing

/// What the address services say about an exit, by scripted services and a scripted proxy in front of them.
@Suite(.timeLimit(.minutes(1))) struct ProberTests {
    /// Services `/a` and `/b`, asked in this order: the country that each sees through the exit, nil for one that does not answer.
    private func sighting(_ a: String?, _ b: String?) async throws -> Sighting {
        let countries = ["/a": a, "/b": b]
        let exit = try ScriptedServer { connection in
            while let head = connection.head() {
                let path = head.contains("/a HTTP") ? "/a" : "/b"
                guard let country = countries[path] ?? nil else { return }
                connection.answer(200, #"{"ip":"198.18.1.1","country":"\#(country)"}"#)
            }
        }
        let direct = try ScriptedServer { connection in
            while connection.head() != nil { connection.answer(200, #"{"ip":"198.18.9.9","country":"DE"}"#) }
        }
        defer {
            exit.stop()
            direct.stop()
        }
        let urls = ["a", "b"].map { "http://127.0.0.1:\(direct.port)/\($0)" }
        let prober = HTTPProber(client: HTTPClient(), urls: urls, checkName: "check.test", log: .none)
        let us = try #require(CountryCode("us"))
        return try await prober.verify(Endpoint(address: "127.0.0.1", port: exit.port), country: us)
    }

    @Test(
        arguments: [
            ("US", nil, "US"), ("DE", "US", "US"), ("DE", "FR", "FR"), ("DE", nil, "DE"), (nil, "DE", "DE"), (nil, "US", "US"),
        ] as [(String?, String?, String)])
    func `where one service sees an exit elsewhere, another one is asked before that is believed`(
        a: String?, b: String?, seen: String
    ) async throws {
        let sighting = try await sighting(a, b)
        #expect(sighting.country?.rawValue == seen && sighting.address == "198.18.1.1")
    }
}
