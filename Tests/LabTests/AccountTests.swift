import FoundationEssentials
import Glibc
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// Several accounts at one provider, of which one is revoked, or gets another key, while users ask.
    @Suite(.serialized) struct AccountTests {
        /// Accounts by their keys, each with its address in the tunnel.
        private static func lines(_ accounts: [(name: String, of: LabKeys.Account, devices: Int)], in folder: String) throws -> String {
            var lines = "    accounts:\n"
            for entry in accounts {
                try Files.write(entry.of.client.privateKey + "\n", to: "\(folder)/\(entry.name).key", mode: 0o600)
                lines += """
                          - name: \(entry.name)
                            private_key_file: \(folder)/\(entry.name).key
                            address: \(entry.of.address)
                            devices: \(entry.devices)

                    """
            }
            return lines
        }

        private func account(_ name: String, _ lab: TestLab) throws -> LabKeys.Account { try #require(lab.lab.keys.account(name)) }

        private func open(_ size: Int, _ controller: ControllerProcess) async throws -> [ControllerProcess.Shown] {
            #expect(try await controller.call("PUT", "/api/pools/us", #"{"size": \#(size)}"#).status < 300)
            return try await eventually("the pool is whole", within: 40) {
                let shown = try await controller.exits().filter { $0.state == "serving" }
                return shown.count == size ? shown : nil
            }
        }

        /// What the controller says of exits, accounts and keys.
        private func story(_ controller: ControllerProcess) -> String {
            let words = [" is lost", "credential", " starts on", "accepted the key", "will be removed", " serves", "drains"]
            return controller.log.split(separator: "\n").filter { line in words.contains { line.contains($0) } }.suffix(60)
                .joined(separator: "\n")
        }

        private func names(_ path: String, _ list: String, _ field: String, _ controller: ControllerProcess) async throws -> [String] {
            try await controller.texts(path, list, field)
        }

        @Test(.timeLimit(.minutes(3)))
        func `of two accounts one is revoked under load, no request is lost, and the exits are on the other one`() async throws {
            try await ControllerProcess.with { lab in
                try ControllerProcess(lab) { folder in
                    try Self.lines(
                        [("first", #require(lab.lab.keys.account("alice")), 4), ("second", #require(lab.lab.keys.account("bob")), 4)],
                        in: folder)
                }
            } _: { controller in
                let lab = controller.lab.lab
                let exits = try await open(4, controller)
                #expect(Dictionary(grouping: exits, by: \.account).mapValues(\.count) == ["first": 2, "second": 2], "they are spread")
                let devices = try await lab.devices()
                #expect(devices["alice"]?.count == 2 && devices["bob"]?.count == 2, "\(devices)")
                let tunnels = Tunnels(controller)
                try await eventually("there is load") { tunnels.succeeded > 50 }
                let bob = try account("bob", controller.lab)
                try await lab.refuse(bob)
                tunnels.areStruck()
                let moved =
                    try? await eventually("all exits are the other account's", within: 60, every: 100) {
                        () -> [ControllerProcess.Shown]? in
                        let shown = (try? await controller.exits())?.filter { $0.state == "serving" } ?? []
                        return shown.count == 4 && shown.allSatisfy { $0.account == "first" } ? shown : nil
                    } as [ControllerProcess.Shown]
                let alerts =
                    try? await eventually("the key is at fault", within: 40, every: 100) {
                        () -> [String]? in
                        let ids = try? await names("/api/alerts", "alerts", "id", controller)
                        return ids?.contains("credential:nordvpn/second") ?? false ? ids : nil
                    } as [String]
                let failures = await tunnels.stop()
                try await lab.accept(bob)
                #expect(moved != nil, "\(story(controller))")
                #expect(failures == [], "of \(tunnels.succeeded): \(story(controller))")
                let untouched = exits.filter { $0.account == "first" }.allSatisfy { before in
                    moved?.contains { $0.id == before.id && $0.generation == before.generation } ?? false
                }
                #expect(untouched, "the other account's exits went on as they were")
                #expect(alerts?.filter { $0.hasPrefix("credential:") } == ["credential:nordvpn/second"])
                #expect(try await names("/api/breakers", "breakers", "name", controller).contains("credential:nordvpn/second"))
                let metrics = try await controller.call("GET", "/metrics").text
                #expect(metrics.contains(#"sallyport_account_devices{provider="nordvpn",account="first"} 4"#))
                #expect(metrics.contains(#"sallyport_account_refused{provider="nordvpn",account="second"} 1"#))
                print("revoked: \(tunnels.succeeded) tunnels, \(failures.count) failed")
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `a key is exchanged by a reload under load, exits move to it, and no request is lost`() async throws {
            try await ControllerProcess.with { lab in
                try ControllerProcess(lab) { folder in
                    try Self.lines([("only", #require(lab.lab.keys.account("alice")), 6)], in: folder)
                }
            } _: { controller in
                let lab = controller.lab.lab
                _ = try await open(2, controller)
                let load = Load(controller, country: "us")
                try await exchange("only", to: "carol", controller)
                let result = try await controller.command("reload")
                #expect(result.status == 0 && result.output.contains("providers.nordvpn.accounts.only.private_key"), "\(result.output)")
                let moved: Void? = try? await eventually("all tunnels have the new key", within: 90) {
                    let devices = try await lab.devices()
                    return devices["carol"]?.count == 2 && devices["alice"] == nil
                }
                let count = await load.stop(after: 100)
                #expect(moved != nil, "\(story(controller))")
                #expect(count.failures == [], "of \(count.succeeded)")
                #expect(try await controller.exits().allSatisfy { $0.account == "only" })
                print("exchanged: \(count.succeeded) requests, \(count.failures.count) failed")
            }
        }

        /// Puts another account's key and address into the configuration.
        private func exchange(_ name: String, to other: String, _ controller: ControllerProcess) async throws {
            let (old, new) = (try account("alice", controller.lab), try account(other, controller.lab))
            try Files.write(new.client.privateKey + "\n", to: "\(controller.path)/\(name).key", mode: 0o600)
            let file = "\(controller.path)/c.yaml"
            try Files.write(try Files.readText(file).replacing(old.address, with: new.address), to: file, mode: 0o600)
        }
    }
}
