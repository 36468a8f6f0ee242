import FoundationEssentials
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// Speed tests of exits, over the API and by the command.
    @Suite(.serialized) struct SpeedTestTests {
        private func numbers(_ answer: HTTPResponse) throws -> [String: Double] {
            guard case .object(let fields) = try JSONDecoder().decode(Document.self, from: Data(answer.body)) else { return [:] }
            return fields.compactMapValues {
                if case .integer(let number) = $0 { Double(number) } else if case .number(let number) = $0 { number } else { nil }
            }
        }

        @Test(.timeLimit(.minutes(1))) func `a speed test downloads what it was asked for through the exit, and nothing before`()
            async throws
        {
            try await ControllerProcess.with { controller in
                #expect(try await controller.call("POST", "/api/exits/us-1/speedtest").status == 404)
                let exit = try await controller.open("us")
                let server = try #require(controller.lab.lab.layout.servers.first { $0.address == exit.server?.address })
                // A line for each account's key: the key, what came from it, what was sent to it.
                func received() async throws -> Int {
                    let text = try await controller.lab.lab.execute(["wg", "show", "wg0", "transfer"], on: server).output
                    let sent = text.split(separator: "\n").compactMap { $0.split(whereSeparator: \.isWhitespace).last.flatMap { Int($0) } }
                    return sent.reduce(0, +)
                }
                #expect(try await controller.call("GET", "/api/exits/us-1/speedtest").status == 404)
                let before = try await received()
                let answer = try await controller.call("POST", "/api/exits/us-1/speedtest", #"{"megabytes":20,"seconds":20}"#)
                let figures = try numbers(answer)
                #expect(answer.status == 200, "\(answer.text)")
                #expect(figures["bytes"] == 20_000_000)
                let (seconds, speed) = (try #require(figures["seconds"]), try #require(figures["mbit_s"]))
                #expect(abs(speed - 160 / seconds) < speed * 0.02 && (figures["first_byte_ms"] ?? 0) > 0, "\(answer.text)")
                // It is the server's side of the tunnel that has sent it.
                #expect(try await received() - before > 20_000_000)
                #expect(try numbers(await controller.call("GET", "/api/exits/us-1/speedtest")) == figures)
            }
        }

        @Test(.timeLimit(.minutes(1))) func `one at a time, ended in time, and with its progress`() async throws {
            try await ControllerProcess.with { controller in
                let exit = try await controller.open("de")
                let server = try #require(controller.lab.lab.layout.servers.first { $0.address == exit.server?.address })
                let relay = try await controller.lab.lab.delay(server, milliseconds: 40)
                do {
                    async let first = controller.call("POST", "/api/exits/de-1/speedtest", #"{"megabytes":100,"seconds":3}"#)
                    try await eventually("it runs and has brought something") {
                        let answer = try await controller.call("GET", "/api/exits/de-1/speedtest")
                        return try answer.text.contains(#""running":true"#) && (numbers(answer)["bytes"] ?? 0) > 0
                    }
                    let second = try await controller.call("POST", "/api/exits/de-1/speedtest")
                    #expect(second.status == 409 && second.text.contains("speed_test_running"))
                    let answer = try await first
                    let figures = try numbers(answer)
                    #expect(answer.status == 200 && (figures["bytes"] ?? 0) > 0 && (figures["bytes"] ?? 0) <= 101_000_000, "\(answer.text)")
                    #expect((figures["seconds"] ?? 99) < 4 && (figures["first_byte_ms"] ?? 0) > 80, "\(answer.text)")
                } catch {
                    try await controller.lab.lab.endDelay(server, relay)
                    throw error
                }
                try await controller.lab.lab.endDelay(server, relay)
            }
        }

        @Test(.timeLimit(.minutes(1))) func `the command shows the figures, for people and for scripts`() async throws {
            try await ControllerProcess.with { controller in
                _ = try await controller.open("gb")
                let plain = try await controller.command("speedtest", "gb-1", "--megabytes", "5")
                #expect(
                    plain.status == 0 && plain.output.contains("gb-1: ") && plain.output.contains(" Mbit/s, first byte after "),
                    "\(plain.output)")
                #expect(plain.output.contains("5.0 MB in "))
                let json = try await controller.command("speedtest", "gb-1", "--json")
                #expect(json.status == 0 && json.output.contains(#""bytes" : 10000000"#), "\(json.output)")
                #expect(try await controller.command("speedtest", "gb-7").status == 1)
                #expect(try await controller.command("speedtest", "nowhere").status == 2)
                #expect(try await controller.command("speedtest", "gb-1", "--megabytes", "101").status == 2)
            }
        }
    }
}
