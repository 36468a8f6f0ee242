import FoundationEssentials
import Glibc
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// A folder of WireGuard files as a provider, of the lab's servers, which changes while the controller runs.
    @Suite(.serialized) struct WireGuardFolderTests {
        static func text(_ server: LabServer, _ account: LabKeys.Account, _ lab: TestLab, hasIPv6: Bool = false) -> String {
            let addresses = account.address + (hasIPv6 ? ", \(account.address6)" : "")
            // As people have them: with a byte order mark, and Windows' ends of lines.
            return
                "\u{FEFF}# as downloaded\n[Interface]\nPrivateKey = \(account.client.privateKey)\nAddress = \(addresses)\nDNS = \(lab.lab.layout.internet)\nPostUp = touch /tmp/never\n\n[Peer]\nPublicKey = \(lab.lab.keys.cities[server.city]?.publicKey ?? "")\nAllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = \(server.address):51820\n"
                .replacing("\n", with: "\r\n")
        }

        private func put(_ name: String, _ server: String, _ account: String, _ controller: ControllerProcess) throws {
            let lab = controller.lab
            let text = Self.text(try lab.server(server), try #require(lab.lab.keys.account(account)), lab)
            try Files.write(text, to: "\(controller.path)/files/\(name)", mode: 0o600)
        }

        private func serving(_ country: String, _ count: Int, _ controller: ControllerProcess) async throws -> [ControllerProcess.Shown] {
            try await eventually("\(count) exits of \(country) serve", within: 40) {
                let shown = try await controller.exits().filter { $0.id.hasPrefix(country) && $0.state == "serving" }
                return shown.count == count ? shown : nil
            }
        }

        private func message(of alert: String, _ controller: ControllerProcess) async throws -> String {
            let (ids, messages) = try await (
                controller.texts("/api/alerts", "alerts", "id"), controller.texts("/api/alerts", "alerts", "message")
            )
            return zip(ids, messages).first { $0.0 == alert }?.1 ?? ""
        }

        @Test(.timeLimit(.minutes(3)))
        func `files of the lab's servers become exits, also those that are added, changed and removed meanwhile`() async throws {
            try await ControllerProcess.with { lab in
                try ControllerProcess(
                    lab, moreProviders: "  wireguard:\n    directory: FOLDER/files\n"
                ) { folder in
                    try Files.makePrivateFolder("\(folder)/files")
                    let account = try #require(lab.lab.keys.account("alice"))
                    try Files.write(Self.text(try lab.server("us-1"), account, lab), to: "\(folder)/files/us-one.conf", mode: 0o600)
                    return "    access_token_file: \(folder)/token\n"
                }
            } _: { controller in
                let pool = #"{"size": 1, "provider": "wireguard"}"#
                #expect(try await controller.call("PUT", "/api/pools/us", pool).status < 300)
                let first = try await serving("us", 1, controller)[0]
                #expect(first.server?.hostname == "us-one.conf" && first.provider == "wireguard")
                #expect(first.account?.hasPrefix("key-") == true && first.account?.count == 16)
                #expect(try await controller.proxied("us").text == "\(try controller.lab.server("us-1").address)\n")

                try put("de-two.conf", "de-1", "bob", controller)
                try await eventually("the file is read", within: 20) {
                    try await controller.call("PUT", "/api/pools/de", pool).status < 300
                }
                let german = try await serving("de", 1, controller)[0]
                #expect(german.server?.hostname == "de-two.conf" && german.account != first.account)

                try put("us-one.conf", "us-3", "carol", controller)
                try await eventually("the change is told", within: 30) {
                    try await message(of: "files:wireguard", controller).contains("us-one.conf was changed while \(first.id) runs on it")
                }
                #expect(try await controller.proxied("us").text == "\(try controller.lab.server("us-1").address)\n", "it goes on")
                #expect(try await controller.call("POST", "/api/exits/\(first.id)/rotate").status < 300)
                try await eventually("it is on the file's new server", within: 40) {
                    let shown = try await controller.exits().filter { $0.id.hasPrefix("us") && $0.state == "serving" }
                    return try shown.count == 1 && shown[0].server?.address == controller.lab.server("us-3").address
                }

                Files.remove("\(controller.path)/files/de-two.conf")
                try await eventually("the removal is told", within: 30) {
                    try await message(of: "files:wireguard", controller).contains("de-two.conf has gone while \(german.id) runs on it")
                }
                #expect(try await controller.proxied("de").status == 200, "it goes on until it fails or is rotated")
                #expect(!Files.exists("/tmp/never"))
                #expect(!controller.log.contains(try #require(controller.lab.lab.keys.account("alice")).client.privateKey))
            }
        }
    }
}
