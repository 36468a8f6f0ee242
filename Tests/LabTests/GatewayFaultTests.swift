import Glibc
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// A real controller whose HAProxy is stopped, hung, emptied or changed behind its back. The single faults are tried in
    /// `AdapterTests.HAProxyStandingTests`; here the loop finds them by itself.
    @Suite(.serialized) struct GatewayFaultTests {
        private enum Fault: CaseIterable {
            case masterStopped, workerStopped, toldToFinish, folderDeleted, frontendDisabled, frontendLimited, masterKilled, workerHangs
        }

        private func happen(_ fault: Fault, to controller: ControllerProcess) async throws -> Task<Void, Never>? {
            let master = try #require(controller.haproxyPid)
            let worker = try #require(controller.haproxyWorkers.max().map { pid_t($0) })
            func tell(_ command: String) async throws {
                let code = "import socket,sys;s=socket.socket(1);s.connect(sys.argv[1]);s.sendall(sys.argv[2].encode()+b'\\n');s.recv(9)"
                _ = try await Programs.run("python3", ["-c", code, "\(controller.gatewayFolder)/stats.sock", command])
            }
            switch fault {
            case .masterStopped: kill(master, SIGSTOP)
            case .workerStopped: kill(worker, SIGSTOP)
            case .toldToFinish: kill(master, SIGUSR1)
            case .folderDeleted: Files.remove(controller.gatewayFolder)
            case .frontendDisabled: try await tell("disable frontend gateway")
            case .frontendLimited: try await tell("set maxconn frontend gateway 1")
            case .masterKilled: kill(master, SIGKILL)
            case .workerHangs:
                // Stopped again whenever somebody lets it go on.
                kill(worker, SIGSTOP)
                return Task { _ = try? await Blocking.run { while kill(worker, SIGSTOP) == 0 { usleep(20) } } }
            }
            return nil
        }

        @Test(.timeLimit(.minutes(3))) func `whatever is done to HAProxy, its users are served again and it can be changed`() async throws {
            try await ControllerProcess.with { controller in
                let server = try #require(try await controller.open("us").server?.address)
                for (number, fault) in Fault.allCases.enumerated() {
                    let holder = try await happen(fault, to: controller)
                    let begin = ContinuousClock.now
                    // A change goes through, and its user is served.
                    let name = "user\(number)"
                    try await eventually("\(fault): a change is made", within: 20) {
                        let body = #"{"name":"\#(name)","password":"\#(ControllerProcess.password)"}"#
                        let status = try await controller.call("POST", "/api/users", body).status
                        return status == 201 || status == 409
                    }
                    try await eventually("\(fault): the new user is served", within: 20) {
                        let answer = try? await controller.lab.get(
                            "http://ip.lab.test/ip", through: controller.gateway, user: "\(name)-country-us",
                            password: ControllerProcess.password, deadline: 1)
                        return answer?.status == 200 && answer?.text == "\(server)\n"
                    }
                    print("gateway \(fault): \(Figures.decimal((ContinuousClock.now - begin) / .seconds(1), digits: 2)) s")
                    await holder?.value
                    try await eventually("\(fault): nothing is said to be in trouble", within: 20) {
                        try await controller.call("GET", "/health/ready").status == 200
                    }
                }
                #expect(!controller.log.contains("the port is in use"))
            }
        }
    }
}
