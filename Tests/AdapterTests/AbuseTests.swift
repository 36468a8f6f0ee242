import FoundationEssentials
import Glibc
@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
import TestSupport
import Testing

/// Thousands of hostile requests over every entry of a real HAProxy, by `Tests/Acceptance/abuse`: a Python program, which knows
/// what is forbidden by other rules than ours. `SALLYPORT_ABUSE=50000 SALLYPORT_ABUSE_SEED=7` makes more, or others.
@Suite(.timeLimit(.minutes(10))) struct AbuseTests {
    private struct Listening: Decodable {
        let exit: Int
        let report: Int
        let canaries: [[Place]]

        enum Place: Decodable, CustomStringConvertible {
            case address(String), port(Int)
            init(from decoder: any Decoder) throws {
                let value = try decoder.singleValueContainer()
                if let port = try? value.decode(Int.self) { self = .port(port) } else { self = .address(try value.decode(String.self)) }
            }
            var description: String {
                switch self {
                case .address(let text): text
                case .port(let number): String(number)
                }
            }
        }
    }

    private struct Seen: Decodable {
        let requests: Int
        let canaries: Int
        let wrong: [String]
    }

    private static func setting(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }
    /// `env` becomes the program itself: its number is the program's.
    private static let program = ["-C", Repository.root, "python3", "-m", "Tests.Acceptance.abuse"]

    private func residentBytes(_ pid: Int) throws -> Int {
        let line = try Files.read("/proc/\(pid)/status").split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return (line.flatMap { Int($0.filter(\.isNumber)) } ?? 0) * 1024
    }

    @Test func `hostile clients reach nothing, break nothing, and good ones are served as before`() async throws {
        let (count, seed) = (Self.setting("SALLYPORT_ABUSE") ?? 4_000, Self.setting("SALLYPORT_ABUSE_SEED") ?? 1)
        let folder = try TemporaryFolder()
        try Files.makePrivateFolder("\(folder.path)/certificates")
        try Files.write(try await GatewaySubject.certificate("proxy-us.lab.test"), to: "\(folder.path)/certificates/lab.pem", mode: 0o600)
        let server = try Programs.startDetached("env", Self.program + ["serve"], log: "\(folder.path)/serve")
        defer {
            kill(server, SIGKILL)
            waitpid(server, nil, 0)
        }
        let listening = try await eventually("the exit listens") {
            (try? Files.read("\(folder.path)/serve")).flatMap { try? JSONDecoder().decode(Listening.self, from: Data($0.utf8)) }
        }
        let addresses = Ports.localAddresses()
        let change: (inout HAProxyConfiguration.Settings) throws -> Void = { settings in
            settings.clientLimit = 500
            // All of it comes from one address.
            settings.sourceLimits.pending = 100_000
            settings.sourceLimits.failedPasswords = 1_000_000
            settings.countryPorts = try Ports.free() - us.portOffset
            settings.tlsPort = try Ports.free()
            settings.certificateSource = "\(folder.path)/certificates"
        }
        try await GatewaySubject.with(change, ownAddresses: { addresses }) { subject in
            let slot = GatewaySlot(number: 1, endpoint: Endpoint(address: "127.0.0.1", port: listening.exit), state: .ready)
            let layout = GatewayLayout(pools: [GatewaySubject.pool(us, [slot])], users: [GatewaySubject.user("alice")])
            try await subject.gateway.publish(layout)
            let pid = try await subject.workerPid

            func attack(_ count: Int, seed: Int) async throws -> Programs.Result {
                let entries = [
                    ("--gateway", subject.settings.gatewayPort), ("--country", (subject.settings.countryPorts ?? 0) + us.portOffset),
                    ("--tls", subject.settings.tlsPort ?? 0), ("--seed", seed), ("--count", count),
                ]
                let canaries = listening.canaries.flatMap { ["--canary", $0.map(\.description).joined(separator: ",")] }
                return try await Programs.run(
                    "env", Self.program + ["attack"] + entries.flatMap { [$0.0, String($0.1)] } + canaries, deadline: 500)
            }
            let first = try await attack(max(500, count / 4), seed: seed + 1_000_000)
            #expect(first.status == 0, "\(first.output)")
            let before = try residentBytes(pid)
            let whole = try await attack(count, seed: seed)
            #expect(whole.status == 0, "\(whole.output)")
            let after = try residentBytes(pid)
            print("abuse: \(whole.output.split(separator: "\n").last ?? "") resident \(before >> 20) then \(after >> 20) MB")

            let answer = try await subject.client.send(HTTPRequest("GET", "http://127.0.0.1:\(listening.report)/"))
            let seen = try JSONDecoder().decode(Seen.self, from: Data(answer.body))
            #expect(seen.canaries == 0 && seen.wrong == [], "\(seen)")
            #expect(seen.requests > count / 50, "some were allowed, or this shows nothing: \(seen.requests)")
            #expect(try await subject.workerPid == pid, "the same process")
            #expect(after < before + 48 << 20, "\(before) bytes, then \(after)")
            #expect(try await subject.fileEqualsRuntime(layout))
        }
    }
}
