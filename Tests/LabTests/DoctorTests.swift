import FoundationEssentials
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// The doctor where all parts are there, and where the engine is not.
    @Suite(.serialized) struct DoctorTests {
        private struct Report: Decodable {
            struct Check: Decodable {
                let name: String
                let verdict: String
                let message: String
                let remedy: String?
            }
            let checks: [Check]
            subscript(_ name: String) -> Check? { checks.first { $0.name == name } }
            var faults: [Check] { checks.filter { $0.verdict == "fault" } }
        }

        private func examine(_ controller: ControllerProcess) async throws -> (status: Int32, report: Report) {
            let line = ["doctor", "--config", "\(controller.path)/c.yaml", "--json"]
            let result = try await Programs.run("\(projectFolder)/.build/debug/sallyport", line, deadline: 90)
            do { return (result.status, try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))) } catch {
                throw TimeoutError(what: result.output)
            }
        }

        @Test(.timeLimit(.minutes(2)))
        func `beside a controller nothing is at fault, keys are accepted, and no exit loses its tunnel to the question`() async throws {
            try await ControllerProcess.with { controller in
                let exit = try await controller.open("us")
                try await eventually("HAProxy is there", within: 30) { controller.haproxyPid != nil }
                for _ in 0..<3 {
                    let (status, report) = try await examine(controller)
                    #expect(status == 0 && report.faults.isEmpty, "\(report.faults)")
                    #expect(report.checks.allSatisfy { ($0.remedy == nil) == ($0.verdict == "pass") })
                    #expect(report["key nordvpn"]?.verdict == "pass" && report["key nordvpn"]?.message.contains("accept the key") == true)
                    #expect(report["ports"]?.message.hasPrefix("ours already") == true, "\(report.checks)")
                    for name in [
                        "controller", "engine", "exit image", "tunnel", "firewall", "redis", "haproxy", "clock", "provider nordvpn",
                    ] {
                        #expect(report[name]?.verdict == "pass", "\(name): \(String(describing: report[name]))")
                    }
                }
                // A server that was asked with the exit's key would send the tunnel's packets elsewhere.
                for _ in 0..<10 { #expect(try await controller.proxied("us").status == 200) }
                let after = try await controller.exits().first
                #expect(after?.generation == exit.generation && after?.state == "serving", "\(String(describing: after))")
            }
        }

        @Test(.timeLimit(.minutes(2))) func `a key that no server knows is at fault, and so is a token that is refused`() async throws {
            let lab = try await TestLab.shared.value
            for (name, text, words) in [
                ("private_key", "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=", "none accepts the key"),
                ("access_token", "0000000000000000000000000000000000000000000000000000000000000000", "refused"),
            ] {
                let controller = try ControllerProcess(
                    lab,
                    accounts: { folder in
                        try Files.write(text, to: "\(folder)/wrong", mode: 0o600)
                        return "    \(name)_file: \(folder)/wrong\n"
                    })
                let (status, report) = try await examine(controller)
                let check = try #require(report["key nordvpn"], "\(report.checks)")
                #expect(status == 1 && check.verdict == "fault" && check.message.contains(words), "\(check)")
                #expect(report["ports"]?.message.hasPrefix("free") == true && report["controller"]?.message.hasPrefix("none") == true)
                #expect(!Files.exists(controller.data), "it has left something behind")
            }
        }

        @Test(.timeLimit(.minutes(2))) func `an engine that comes up after the controller is waited for, with a word`() async throws {
            let relay = try EngineRelay()
            try await ControllerProcess.with({ try ControllerProcess($0, dockerHost: relay.address) }) { controller in
                let words = "\(relay.address.dropFirst(7)) is not there: start Docker"
                try await eventually("it says so", within: 20) {
                    try await controller.call("GET", "/health/ready").text.contains(words) && controller.log.contains(words)
                }
                let (status, report) = try await examine(controller)
                #expect(
                    status == 1 && report["engine"]?.verdict == "fault"
                        && report["engine"]?.remedy?.contains("systemctl start docker") == true)
                #expect(report["key nordvpn"]?.verdict == "warning", "\(report.checks)")
                _ = try await controller.call("POST", "/api/exits", #"{"country":"us"}"#)
                try await relay.start()
                try await eventually("what was asked for meanwhile serves", within: 40) {
                    try await controller.exits().first?.state == "serving"
                }
                #expect(try await controller.proxied("us").status == 200)
            }
            relay.stop()
        }
    }
}
