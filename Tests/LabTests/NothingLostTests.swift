import DockerEngine
import FoundationEssentials
import Glibc
import HTTPTransport
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// Tunnels that are asked for while an exit goes dark: each is made through another one.
    @Suite(.serialized) struct NothingLostTests {
        /// Of some hundred tunnels one may have been at a point, when its exit's place changed, from which there is no way back.
        private static let underWay = 1

        enum Fault: String, CaseIterable, Sendable {
            case serverSilent, containerKilled, proxyStopped
        }

        /// Makes a pool and waits until all of it is proved.
        private func open(_ body: String, exits: Int, _ controller: ControllerProcess) async throws -> [ControllerProcess.Shown] {
            #expect(try await controller.call("PUT", "/api/pools/us", body).status < 300)
            return try await eventually("the pool is whole", within: 40) {
                let shown = try await controller.exits().filter { ["serving", "standby"].contains($0.state) }
                return shown.count == exits && shown.contains { $0.state == "serving" } ? shown : nil
            }
        }

        private func strike(_ fault: Fault, _ exit: ControllerProcess.Shown, _ controller: ControllerProcess) async throws {
            let container = try #require(try await controller.containers().first { $0.contains("\(exit.id)") })
            let proxies = try await proxies(of: container, controller)
            #expect(!proxies.isEmpty)
            switch fault {
            case .containerKilled:
                try await controller.lab.engine.killContainer(container)
                // On a busy machine its proxy makes tunnels for a while after the engine has called it dead.
                try await eventually("it is dead") { proxies.allSatisfy { kill($0, 0) != 0 } }
            case .proxyStopped: #expect(proxies.allSatisfy { kill($0, SIGSTOP) == 0 })
            case .serverSilent:
                let server = try #require(controller.lab.lab.layout.servers.first { $0.address == exit.server?.address })
                _ = try await controller.lab.lab.control(server, "blackhole")
            }
        }

        private func proxies(of container: String, _ controller: ControllerProcess) async throws -> [pid_t] {
            let processes = try await Programs.run("pgrep", ["-f", "exit-proxy"]).output.split(separator: "\n").compactMap { pid_t($0) }
            let network = network(of: pid_t(try await controller.lab.engine.inspectContainer(container).state.pid))
            return processes.filter { self.network(of: $0) == network }
        }

        /// The network namespace of a process.
        private func network(of process: pid_t) -> String? {
            try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/ns/net")
        }

        /// Takes back what outlives the test.
        private func heal(_ exit: ControllerProcess.Shown, _ controller: ControllerProcess) async throws {
            let server = try #require(controller.lab.lab.layout.servers.first { $0.address == exit.server?.address })
            try await controller.heal(server)
        }

        @Test(.timeLimit(.minutes(2)), arguments: Fault.allCases)
        func `of a pool of two one exit fails, and no tunnel is lost`(fault: Fault) async throws {
            try await ControllerProcess.with { controller in
                let exits = try await open(#"{"size": 2}"#, exits: 2, controller)
                let tunnels = Tunnels(controller)
                try await eventually("there is load") { tunnels.succeeded > 30 }
                try await strike(fault, exits[0], controller)
                tunnels.areStruck()
                let isReplaced: Void? = try? await eventually("the exit is replaced", within: 60) {
                    try await controller.exits().contains {
                        $0.state == "serving" && $0.id == exits[0].id && $0.generation > exits[0].generation
                    }
                }
                let failures = await tunnels.stop()
                try await heal(exits[0], controller)
                #expect(isReplaced != nil)
                // On a machine that stands still for seconds the loop takes the other exit for dead as well, and then there is none.
                let hasAnother = try await controller.exits().contains {
                    $0.id == exits[1].id && $0.generation == exits[1].generation && $0.state == "serving"
                }
                #expect(failures.count <= Self.underWay || !hasAnother, "\(failures) \(refusals(controller))")
                // Counted by the access log, which is read a moment later.
                try await eventually("retries are counted") {
                    try await controller.call("GET", "/metrics").text.split(separator: "\n").contains {
                        $0.hasPrefix("sallyport_gateway_retries_total ") && !$0.hasSuffix(" 0")
                    }
                }
            }
        }

        @Test(.timeLimit(.minutes(2)))
        func `while the controller stands still a standby carries what the exit can't, and no tunnel is lost`() async throws {
            try await ControllerProcess.with { controller in
                let serving = try #require(
                    try await open(#"{"size": 1, "standby": 1}"#, exits: 2, controller).first { $0.state == "serving" })
                let tunnels = Tunnels(controller)
                try await eventually("there is load") { tunnels.succeeded > 30 }
                controller.freeze()
                try await strike(.containerKilled, serving, controller)
                tunnels.areStruck()
                let before = tunnels.succeeded
                try await eventually("the standby carries", within: 20) { tunnels.succeeded > before + 100 }
                let failures = await tunnels.stop()
                controller.thaw()
                #expect(failures.count <= Self.underWay, "\(failures) \(refusals(controller))")
            }
        }

        @Test(.timeLimit(.minutes(2)), arguments: [Fault.serverSilent, .containerKilled])
        func `a pool of one holds its tunnels until the next exit serves`(fault: Fault) async throws {
            try await ControllerProcess.with { controller in
                let exits = try await open(#"{"size": 1}"#, exits: 1, controller)
                let tunnels = Tunnels(controller)
                try await eventually("there is load") { tunnels.succeeded > 30 }
                try await strike(fault, exits[0], controller)
                tunnels.areStruck()
                let isReplaced: Void? = try? await eventually("the exit is replaced", within: 60) {
                    try await controller.exits().contains { $0.state == "serving" && $0.generation > exits[0].generation }
                }
                let failures = await tunnels.stop()
                try await heal(exits[0], controller)
                #expect(isReplaced != nil)
                #expect(failures.count <= Self.underWay, "\(failures) \(refusals(controller))")
            }
        }

        /// What the gateway and the loop say of requests that were refused.
        private func refusals(_ controller: ControllerProcess) -> String {
            let lines = (try? Files.read("\(controller.data)/access.log", limit: 64 << 20)).map { $0.split(separator: "\n") } ?? []
            let refused = lines.filter { !($0.contains(" status=200 ") && $0.hasSuffix("end=----")) && !$0.contains(" user=- ") }.suffix(5)
                .joined(
                    separator: "\n")
            return
                "\(refused)\n\(controller.log.split(separator: "\n").filter { !$0.contains("/api/exits") }.suffix(40).joined(separator: "\n"))"
        }
    }
}

/// Tunnels through the gateway, up to fifty a second, each with one request.
final class Tunnels: Sendable {
    private struct State {
        var succeeded = 0
        var failures: [String] = []
        var hasStopped = false
        /// A tunnel that stood when its exit was struck may break.
        var struckAt: ContinuousClock.Instant?
    }

    private let state = Mutex(State())
    private var hasStopped: Bool { state.withLock { $0.hasStopped } }
    private let running = Mutex<Task<Void, Never>?>(nil)

    var succeeded: Int { state.withLock { $0.succeeded } }

    init(_ controller: ControllerProcess) {
        let task = Task { [self] in
            await withDiscardingTaskGroup { group in
                while !hasStopped {
                    group.addTask { [self] in await ask(controller) }
                    try? await Task.sleep(for: .milliseconds(20))
                }
            }
        }
        running.withLock { $0 = task }
    }

    private func ask(_ controller: ControllerProcess) async {
        let begin = ContinuousClock.now
        do {
            let answer = try await controller.lab.get(
                "http://ip.lab.test/ip", through: controller.gateway, user: "alice-country-us", password: ControllerProcess.password,
                deadline: 15, connectDeadline: 15, tunnels: true)
            guard answer.status == 200 else { throw TimeoutError(what: "\(answer.status) \(answer.text)") }
            state.withLock { $0.succeeded += 1 }
        } catch {
            let text = "\(error) after \(ContinuousClock.now - begin)"
            state.withLock { state in
                if let struckAt = state.struckAt, begin < struckAt { return }
                state.failures.append(text)
            }
        }
    }

    /// Says that the exit is struck by now.
    func areStruck() { state.withLock { $0.struckAt = ContinuousClock.now } }

    /// Lets those that are under way end; what failed.
    func stop() async -> [String] {
        state.withLock { $0.hasStopped = true }
        await running.withLock { $0 }?.value
        return state.withLock { $0.failures }
    }
}
