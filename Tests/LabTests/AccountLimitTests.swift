import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// Accounts that allow less than the configuration says, and tokens that are refused.
    @Suite(.serialized) struct AccountLimitTests {
        private func finally(_ restore: () async throws -> Void, _ body: () async throws -> Void) async throws {
            do { try await body() } catch {
                try? await restore()
                throw error
            }
            try await restore()
        }

        private func serving(_ count: Int, _ controller: ControllerProcess) async throws -> [ControllerProcess.Shown] {
            try await eventually("\(count) exits serve", within: 60) {
                let shown = try await controller.exits().filter { $0.state == "serving" }
                return shown.count == count ? shown : nil
            }
        }

        private func alert(_ id: String, _ controller: ControllerProcess) async throws -> String? {
            let (ids, messages) = try await (
                controller.texts("/api/alerts", "alerts", "id"), controller.texts("/api/alerts", "alerts", "message")
            )
            return zip(ids, messages).first { $0.0 == id }?.1
        }

        private func launches(_ controller: ControllerProcess) async throws -> Int {
            try await controller.exits().reduce(0) { $0 + $1.generation }
        }

        @Test(.timeLimit(.minutes(4)))
        func `where the provider allows fewer tunnels than configured, those that work stay, and the reason is told`() async throws {
            try await ControllerProcess.with { lab in
                try ControllerProcess(lab) { folder in
                    let account = try #require(lab.lab.keys.account("alice"))
                    try Files.write(account.client.privateKey + "\n", to: "\(folder)/alice.key", mode: 0o600)
                    return "    accounts: [{name: alice, private_key_file: \(folder)/alice.key, address: \(account.address), devices: 4}]\n"
                }
            } _: { controller in
                let lab = controller.lab.lab
                let account = try #require(lab.keys.account("alice"))
                try await lab.limit(account, to: 2)
                try await finally({ try await lab.limit(account, to: nil) }) {
                    #expect(try await controller.call("PUT", "/api/pools/us", #"{"size": 4}"#).status < 300)
                    let words = try await eventually("the reason is told", within: 90, every: 200) {
                        let message = try await alert("pool:us", controller)
                        return message?.contains("of the account nordvpn/alice work: it may allow no more tunnels") ?? false ? message : nil
                    }
                    let first = try await serving(2, controller)
                    let begun = try await launches(controller)
                    var most = 0
                    for _ in 0..<8 { most = max(most, try await lab.devices()["alice"]?.count ?? 0) }
                    let after = try await controller.exits()
                    for exit in first {
                        #expect(
                            after.contains { $0.id == exit.id && $0.generation == exit.generation && $0.state == "serving" }, "\(after)")
                    }
                    let more = try await launches(controller) - begun
                    #expect(more <= 4, "of two exits that can't be had")
                    #expect(try await alert("credential:nordvpn/alice", controller) == nil, "the key is a good one")
                    print("limited: \(words); \(most) tunnels at most, \(more) containers more in 16 s")
                    #expect(most <= 2)
                }
                _ = try await serving(4, controller)
            }
        }

        @Test(.timeLimit(.minutes(4)))
        func `the exits of an account whose token is refused are another one's, and the alert says what to do`() async throws {
            try await ControllerProcess.with { lab in
                lab.api.set("bob", isRefused: true)
                return try ControllerProcess(lab) { folder in
                    var lines = "    accounts:\n"
                    for name in ["alice", "bob"] {
                        let account = try #require(lab.lab.keys.account(name))
                        try Files.write(account.token + "\n", to: "\(folder)/\(name).token", mode: 0o600)
                        lines +=
                            "      - {name: \(name), access_token_file: \(folder)/\(name).token, address: \(account.address), devices: 4}\n"
                    }
                    return lines
                }
            } _: { controller in
                try await finally({ controller.lab.api.set("bob", isRefused: false) }) {
                    #expect(try await controller.call("PUT", "/api/pools/us", #"{"size": 3}"#).status < 300)
                    let shown = try await serving(3, controller)
                    #expect(shown.allSatisfy { $0.account == "alice" }, "\(shown)")
                    let message = try await alert("credential:nordvpn/bob", controller)
                    #expect(message?.contains("refuses the access token of the account bob") == true, "\(message ?? "no alert")")
                    let remedies = try await controller.texts("/api/alerts", "alerts", "remedy")
                    #expect(remedies.contains { $0.contains("access_token_file of the account bob") && $0.contains("sallyport reload") })
                    #expect(try await alert("credential:nordvpn/alice", controller) == nil)
                    #expect(try await controller.lab.lab.devices()["bob"] == nil)
                }
                let reloaded = try await controller.command("reload")
                #expect(reloaded.status == 0, "\(reloaded.output)")
                try await eventually("it is asked again by itself", within: 100) {
                    try await alert("credential:nordvpn/bob", controller) == nil
                }
            }
        }
    }
}
