import DockerEngine
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// Requests as known programs write them, and tunnels that are quiet or half closed, through HAProxy, a real exit and its tunnel.
    @Suite(.serialized) struct ProgramTests {
        /// Runs a script for each connection to a port of another server, which the body gets with its address.
        private func serve(_ script: String, on port: Int, of controller: ControllerProcess) async throws -> String {
            let target = try controller.lab.server("gb-1")
            let command = "exec busybox nc -ll -p \(port) -e busybox sh -c \"$0\""
            let container = controller.lab.lab.layout.container(target.container)
            let started = try await Programs.run(
                "docker", ["-H", engineAddress ?? "", "exec", "-d", container, "busybox", "sh", "-c", command, script])
            #expect(started.status == 0, "\(started.output)")
            return "\(target.address):\(port)"
        }

        private func isServed(_ controller: ControllerProcess, _ target: String) async throws {
            try await eventually("somebody listens at \(target)", within: 20) {
                try await self.tunnel(controller, target).1.hasPrefix("HTTP/1.1 200")
            }
        }

        private func tunnel(_ controller: ControllerProcess, _ target: String) async throws -> (Raw, String) {
            let raw = try Raw(port: controller.gateway.port, seconds: 30)
            let basic = Base64.encode(Array("alice-country-us:\(ControllerProcess.password)".utf8))
            let answer = try await Blocking.run {
                raw.send("CONNECT \(target) HTTP/1.1\r\nHost: \(target)\r\nProxy-Authorization: Basic \(basic)\r\n\r\n")
                return String(decoding: raw.receive(milliseconds: 10_000) ?? [], as: UTF8.self)
            }
            return (raw, answer)
        }

        private func socks(_ controller: ControllerProcess, _ target: String) async throws -> Raw {
            let raw = try Raw(port: controller.gateway.port, seconds: 30)
            let parts = target.split(separator: ":")
            let (octets, port) = (parts[0].split(separator: ".").compactMap { UInt8($0) }, UInt16(parts[1]) ?? 0)
            let (name, password) = (Array("alice-country-us".utf8), Array(ControllerProcess.password.utf8))
            let steps: [([UInt8], [UInt8])] = [
                ([5, 1, 2], [5, 2]), ([1, UInt8(name.count)] + name + [UInt8(password.count)] + password, [1, 0]),
                ([5, 1, 0, 1] + octets + [UInt8(port >> 8), UInt8(port & 255)], [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
            ]
            for (sent, wanted) in steps {
                let came = try await Blocking.run {
                    raw.send(sent)
                    return raw.receive(milliseconds: 10_000)
                }
                #expect(came == wanted)
            }
            return raw
        }

        /// The target ends its side, and what the client says after that still comes.
        private func endsFirst(_ controller: ControllerProcess) async throws {
            let target = try controller.lab.server("gb-1")
            let place = "\(target.address):8094"
            let listening = Task {
                let words = ["busybox", "sh", "-c", "echo bye | busybox timeout 20 busybox nc -l -p 8094"]
                return try await controller.lab.lab.execute(words, on: target).output
            }
            let raw = try await eventually("somebody listens at \(place)", within: 20) {
                let (raw, answer) = try await tunnel(controller, place)
                return answer.hasPrefix("HTTP/1.1 200") ? (raw, answer) : nil
            }
            var heard = raw.1
            while let bytes = try await Blocking.run({ raw.0.receive(milliseconds: 10_000) }), !bytes.isEmpty {
                heard += String(decoding: bytes, as: UTF8.self)
            }
            #expect(heard.hasSuffix("\r\n\r\nbye\n"))
            raw.0.send("late words")
            raw.0.endSending()
            #expect(try await listening.value == "late words")
        }

        @Test(.timeLimit(.minutes(2))) func `each way that a program asks gets the answer that it needs`() async throws {
            try await ControllerProcess.with { controller in
                _ = try await controller.open("us")
                let target = try await serve(ProgramTarget.script, on: 8_091, of: controller)
                try await isServed(controller, target)
                for request in ProgramRequest.all {
                    let failure = try await request.failure(
                        port: controller.gateway.port, user: "alice-country-us", password: ControllerProcess.password, target: target)
                    #expect(failure == nil, "\(request.program): \(failure ?? "")")
                }
            }
        }

        /// The gateway's hour is tried in AdapterTests with figures of a 300th. Here nothing between client and target may be shorter than
        /// some seconds, and each end is passed on by itself.
        @Test(.timeLimit(.minutes(2))) func `a tunnel that is quiet goes on, and each of its ends is passed on alone`() async throws {
            try await ControllerProcess.with { controller in
                _ = try await controller.open("us")
                let echo = try await serve("exec busybox cat", on: 8_092, of: controller)
                let last = try await serve("busybox wc -c", on: 8_093, of: controller)
                for target in [echo, last] { try await isServed(controller, target) }
                let quiet = [try await tunnel(controller, echo).0, try await socks(controller, echo)]
                let began = ContinuousClock.now
                // The client ends its side, and hears how much came.
                for counted in [try await tunnel(controller, last).0, try await socks(controller, last)] {
                    counted.send([UInt8](repeating: 7, count: 100_000))
                    counted.endSending()
                    #expect(try await counted.receiveAll() == "100000\n")
                }
                try await endsFirst(controller)
                for tunnel in quiet {
                    try await Blocking.run { #expect(tunnel.receive(milliseconds: 6_000) == []) }
                    tunnel.send("still there")
                    #expect(
                        String(decoding: try await Blocking.run { tunnel.receive(milliseconds: 10_000) } ?? [], as: UTF8.self)
                            == "still there")
                }
                #expect(ContinuousClock.now - began > .seconds(12))
            }
        }
    }
}
