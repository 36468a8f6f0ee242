import FoundationEssentials
import Glibc
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// An operator asks for a country, and a proxy user leaves there.
    @Suite(.serialized) struct FirstLightTests {
        private func curl(_ arguments: [String]) async throws -> Programs.Result {
            try await Programs.run("curl", ["-s", "-m", "5"] + arguments)
        }

        @Test(.timeLimit(.minutes(1))) func `an exit serves HTTP, CONNECT and SOCKS5 from the VPN server's address`() async throws {
            try await ControllerProcess.with { controller in
                let exit = try await controller.open("us")
                let address = try #require(exit.server?.address)
                #expect(exit.exitIP == address)
                let proxy = "alice-country-us:\(ControllerProcess.password)@\(controller.gateway)"
                #expect(try await curl(["-x", "http://\(proxy)", "http://ip.lab.test/ip"]).output == "\(address)\n")
                #expect(try await curl(["-k", "-x", "http://\(proxy)", "https://ip.lab.test/ip"]).output == "\(address)\n")
                #expect(try await curl(["-x", "socks5h://\(proxy)", "http://ip.lab.test/ip"]).output == "\(address)\n")
                #expect(try await curl(["-k", "-x", "socks5h://\(proxy)", "https://ip.lab.test/ip"]).output == "\(address)\n")
            }
        }

        @Test(.timeLimit(.minutes(1))) func `a proxy user without right, country or exit is refused with the reason`() async throws {
            try await ControllerProcess.with { controller in
                _ = try await controller.open("gb")
                let cases: [(String, String, Int, String)] = [
                    ("alice-country-gb", "wrong-password", 407, "authentication_failed"),
                    ("mallory-country-gb", ControllerProcess.password, 407, "authentication_failed"),
                    ("alice-country-zz", ControllerProcess.password, 400, "country_unknown"),
                    ("alice-planet-mars", ControllerProcess.password, 400, "unknown_parameter"),
                    ("alice", ControllerProcess.password, 400, "country_missing"),
                    ("alice-country-fr", ControllerProcess.password, 503, "no_exit"),
                ]
                for (user, password, status, reason) in cases {
                    let answer = try await controller.lab.get(
                        "http://ip.lab.test/ip", through: controller.gateway, user: user, password: password)
                    #expect(
                        answer.status == status && answer.headers["x-sallyport-reason"] == reason,
                        "\(user): \(answer.status) \(answer.headers)")
                }
                let nobody = try await controller.lab.get("http://ip.lab.test/ip", through: controller.gateway)
                #expect(nobody.status == 407 && nobody.headers["proxy-authenticate"] != nil)
                let uk = try await controller.proxied("uk")
                #expect(uk.status == 200, "uk is gb")
            }
        }

        @Test(.timeLimit(.minutes(1))) func `bad input of an operator is refused with the field's name`() async throws {
            try await ControllerProcess.with { controller in
                let cases: [(String, String, String?, Int, String)] = [
                    ("POST", "/api/exits", "{", 400, "malformed_json"), ("POST", "/api/exits", #"{"country":5}"#, 422, "country"),
                    ("POST", "/api/exits", #"{"country":"zz"}"#, 422, "country"),
                    ("POST", "/api/exits", #"{"country":"us","colour":1}"#, 422, "colour"),
                    ("POST", "/api/exits", #"{}"#, 422, "country"), ("POST", "/api/exits", #"{"country":"aq"}"#, 503, "no_server"),
                    ("POST", "/api/exits", #"{"country":"us","provider":"nobody"}"#, 422, "unknown_provider"),
                    ("GET", "/api/exits/us-9", nil, 404, "not_found"),
                    ("DELETE", "/api/exits/us-9", nil, 404, "not_found"), ("DELETE", "/api/pools/us", nil, 404, "not_found"),
                    ("PUT", "/api/pools/us", #"{"size":11}"#, 422, "size"), ("GET", "/api/exits?contry=us", nil, 422, "contry"),
                    ("PATCH", "/api/exits", nil, 405, "method_not_allowed"), ("GET", "/api/nothing", nil, 404, "not_found"),
                ]
                for (method, path, body, status, word) in cases {
                    let answer = try await controller.call(method, path, body)
                    #expect(
                        answer.status == status && answer.text.contains(word),
                        "\(method) \(path) \(body ?? ""): \(answer.status) \(answer.text)")
                }
                #expect(try await controller.call("GET", "/api/exits", key: "").status == 401)
                #expect(try await controller.call("GET", "/api/exits", key: String(repeating: "x", count: 43)).status == 401)
            }
        }

        @Test(.timeLimit(.minutes(1))) func `a missing image that nobody has is a clear error, and the API goes on`() async throws {
            let extra = "  image: sallyport.invalid/none:1\n  image_archive: /nowhere/exit.tar"
            try await ControllerProcess.with({ try ControllerProcess($0, dockerExtra: extra) }) { controller in
                _ = try await controller.call("POST", "/api/exits", #"{"country":"us"}"#)
                let exit = try await eventually("the exit says why", within: 20) {
                    try await controller.exits().first { $0.reason == "image_missing" }
                }
                #expect(exit.detail?.contains("make images") ?? false, "\(exit)")
                #expect(try await controller.call("GET", "/health/live").status == 200)
            }
        }

        @Test(.timeLimit(.minutes(1))) func `a port in use is named at the start, and a second controller on the same data is refused`()
            async throws
        {
            let lab = try await TestLab.shared.value
            try await ControllerProcess.with { controller in
                let second = try await controller.startExpectingEnd()
                #expect(second.status == 1 && second.output.contains("another controller runs"), "\(second.output)")
                let other = try ControllerProcess(lab)
                let (descriptor, _) = try Ports.listen("127.0.0.1", other.gateway.port)
                let refused = try await other.startExpectingEnd()
                close(descriptor)
                #expect(
                    refused.status == 1 && refused.output.contains("127.0.0.1:\(other.gateway.port): the port is in use"),
                    "\(refused.output)")
            }
        }
    }
}
