import DockerEngine
import Glibc
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// A gateway that can't be changed goes on with the slots that it has: nobody may come out in another country by them.
    @Suite(.serialized) struct StaleGatewayTests {
        private struct Place: Hashable {
            var container: String
            var address: String
        }

        private func places(_ controller: ControllerProcess) async throws -> Set<Place> {
            let engine = controller.lab.engine
            var places: Set<Place> = []
            for name in try await controller.containers() {
                guard let details = try? await engine.inspectContainer(name), details.state.running else { continue }
                for case let address? in (details.networkSettings.networks ?? [:]).values.map(\.address) where !address.isEmpty {
                    places.insert(Place(container: name, address: address))
                }
            }
            return places
        }

        @Test(.timeLimit(.minutes(3)), arguments: ["the master is stopped", "the worker's socket is gone"])
        func `exits that die while HAProxy can't be changed are made anew at other addresses`(fault: String) async throws {
            try await ControllerProcess.with { controller in
                let servers = [try await controller.open("us"), try await controller.open("de")].compactMap(\.server?.address)
                #expect(try await controller.proxied("us").text == "\(servers[0])\n" && servers.count == 2)
                let us = Set(controller.lab.lab.layout.servers.filter { $0.country == LabTests.us }.map(\.address))
                let before = try await places(controller)
                #expect(before.count == 2)
                let master = try #require(controller.haproxyPid)
                let socket = "\(controller.gatewayFolder)/stats.sock"
                if fault.contains("master") { kill(master, SIGSTOP) } else { rename(socket, "\(socket).away") }
                defer { if fault.contains("master") { kill(master, SIGCONT) } else { rename("\(socket).away", socket) } }
                var wrong: [String] = []
                var answers = 0
                // The engine would give the lowest free address, one of those that were lost.
                for place in before { try? await controller.lab.engine.killContainer(place.container) }
                func ask() async {
                    guard let answer = try? await controller.proxied("us", deadline: 3), answer.status == 200 else { return }
                    answers += 1
                    if !us.contains(answer.text.filter { $0 != "\n" }) { wrong.append(answer.text) }
                }
                let now = try await eventually("an exit is made anew", within: 40) { () -> Set<Place>? in
                    await ask()
                    let now = try await places(controller).filter { place in !before.contains { $0.container == place.container } }
                    return now.isEmpty ? nil : now
                }
                #expect(Set(now.map(\.address)).isDisjoint(with: before.map(\.address)), "\(before) \(now)")
                for _ in 0..<20 { await ask() }
                #expect(wrong.isEmpty, "\(answers) answers, of them through the wrong country: \(wrong)")
                if fault.contains("master") { kill(master, SIGCONT) } else { rename("\(socket).away", socket) }
                try await eventually("it serves again", within: 60) { (try? await controller.proxied("us", deadline: 3))?.status == 200 }
            }
        }

        @Test(.timeLimit(.minutes(2))) func `another country's exit at an old exit's address refuses what stale slots send it`()
            async throws
        {
            try await ControllerProcess.with { controller in
                _ = try await controller.open("us")
                let lab = controller.lab
                let old = try #require(try await places(controller).first)
                #expect(try await controller.proxied("us").status == 200)
                // Nobody changes anything from here on, and the address is given out again by hand.
                controller.freeze()
                defer { controller.thaw() }
                try await lab.engine.removeContainer(old.container)
                let root = try RootKey.load(controller.rootKeyFile)
                let exits = lab.exitContainers(owner: controller.owner, credentials: ExitCredentials(root: root))
                let server = try lab.server("de-1")
                var specification = lab.specification(server)
                specification.address = old.address
                let stranger = try await exits.launch(specification)
                #expect(stranger.endpoint.address == old.address)
                let de = ExitCredentials(root: root).pool(server.country).revealed
                try await eventually("it serves its own country", within: 20) {
                    (try? await lab.get(
                        "http://ip.lab.test/ip", through: stranger.endpoint, user: ExitCredentials.user, password: de, deadline: 1))?.text
                        == "\(server.address)\n"
                }
                for _ in 0..<20 {
                    let answer = try await controller.proxied("us")
                    #expect(
                        answer.status == 502 && answer.headers["x-sallyport-reason"] == "exit_failed", "\(answer.status) \(answer.text)")
                    #expect(answer.headers["proxy-authenticate"] == nil && answer.headers["www-authenticate"] == nil)
                }
                let tunnel = try await Programs.run(
                    "curl",
                    [
                        "-s", "-o", "/dev/null", "-w", "%{http_connect}", "-p", "-m", "5", "-x",
                        "http://alice-country-us:\(ControllerProcess.password)@\(controller.gateway)", "http://ip.lab.test/ip",
                    ])
                #expect(tunnel.output == "502")
                // The controller finds out by itself, and another exit serves.
                controller.thaw()
                try await eventually("us serves again", within: 40) {
                    let answer = try? await controller.proxied("us", deadline: 3)
                    return answer?.status == 200 && answer?.text != "\(server.address)\n"
                }
            }
        }
    }
}
