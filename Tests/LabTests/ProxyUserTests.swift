import DockerEngine
import FoundationEssentials
import Glibc
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// Proxy users from the API to HAProxy: what they may, what they have used, and where nobody gets to.
    @Suite(.serialized) struct ProxyUserTests {
        private func status(
            _ controller: ControllerProcess, _ user: String, _ password: String, url: String = "http://ip.lab.test/ip"
        ) async throws -> String {
            let answer = try await controller.lab.get(url, through: controller.gateway, user: "\(user)-country-us", password: password)
            return answer.status == 200 ? "200" : "\(answer.status) \(answer.headers["x-sallyport-reason"] ?? "")"
        }

        /// What a client sees of a CONNECT.
        private func tunnelAnswer(_ controller: ControllerProcess, _ user: String, _ password: String) async throws -> String {
            let raw = try Raw(port: controller.gateway.port)
            let basic = Base64.encode(Array("\(user)-country-us:\(password)".utf8))
            return try await Blocking.run {
                raw.send("CONNECT www.lab.test:80 HTTP/1.1\r\nHost: www.lab.test:80\r\nProxy-Authorization: Basic \(basic)\r\n\r\n")
                return String(decoding: raw.receive(milliseconds: 10_000) ?? [], as: UTF8.self)
            }
        }

        private func field(_ name: String, _ answer: HTTPResponse) -> String? {
            guard case .object(let fields) = try? JSONDecoder().decode(Document.self, from: Data(answer.body)) else { return nil }
            if case .string(let text) = fields[name] { return text }
            return nil
        }

        /// A download of so many bytes; how many came.
        private func download(_ controller: ControllerProcess, _ user: String, _ password: String, bytes: Int, rate: String = "100M")
            async throws -> Int
        {
            let result = try await Programs.run(
                "curl",
                [
                    "-s", "-m", "40", "-o", "/dev/null", "-w", "%{size_download}", "--limit-rate", rate, "-r", "0-\(bytes - 1)", "-x",
                    "http://\(user)-country-us:\(password)@\(controller.gateway)", "http://www.lab.test/big",
                ], deadline: 60)
            return Int(result.output.filter(\.isNumber)) ?? 0
        }

        @Test(.timeLimit(.minutes(2))) func `a user is made, limited, given another password, cut and removed, without one reload`()
            async throws
        {
            try await ControllerProcess.with { controller in
                _ = try await controller.open("us")
                let workers = controller.haproxyWorkers
                let made = try await controller.call("POST", "/api/users", #"{"name":"bob"}"#)
                let first = try #require(field("password", made))
                #expect(try await status(controller, "bob", first) == "200", "he may as soon as he is made")
                let tunnel = try await tunnelAnswer(controller, "bob", first)
                #expect(tunnel.hasPrefix("HTTP/1.1 200 ") && !tunnel.contains(": "), "\(tunnel)")
                #expect(try await !controller.call("GET", "/api/users/bob").text.contains(first), "and the password is shown once")

                let cases: [(String, String)] = [
                    (#"{"countries":["de"]}"#, "403 country_not_allowed"), (#"{"countries":[]}"#, "200"),
                    (#"{"disabled":true}"#, "403 user_disabled"), (#"{"disabled":false}"#, "200"),
                    (#"{"expires_at":"2020-01-01T00:00:00Z"}"#, "403 user_expired"), (#"{"expires_at":null}"#, "200"),
                    (#"{"addresses":["203.0.113.0/24"]}"#, "403 address_not_allowed"), (#"{"addresses":["127.0.0.0/8"]}"#, "200"),
                ]
                for (body, wanted) in cases {
                    #expect(try await controller.call("PATCH", "/api/users/bob", body).status == 200)
                    #expect(try await status(controller, "bob", first) == wanted, "\(body)")
                }
                let rotated = try await controller.call("POST", "/api/users/bob/rotate", #"{"overlap_seconds":600}"#)
                let second = try #require(field("password", rotated))
                #expect(try await status(controller, "bob", first) == "200")
                #expect(try await status(controller, "bob", second) == "200")
                _ = try await controller.call("POST", "/api/users/bob/rotate", #"{"overlap_seconds":0}"#)
                #expect(try await status(controller, "bob", second) == "407 authentication_failed")

                // The command's options become the same.
                let set = try await controller.command(
                    "users", "set", "bob", "--connections", "7", "--bytes-per-day", "2G", "--countries", "us,de")
                #expect(set.status == 0, "\(set.output)")
                let shown = try await controller.command("users", "show", "bob", "--json").output.filter { !$0.isWhitespace }
                #expect(shown.contains("\"connections\":7") && shown.contains("2000000000") && shown.contains("DE"), "\(shown)")
                let added = try await controller.command("users", "add", "carol", "--bytes-total", "3M")
                let carols = try #require(added.output.split(separator: " ").last.map { $0.filter { !$0.isWhitespace } })

                // Over her quota a running download ends, and the next one is refused.
                let came = try await download(controller, "carol", carols, bytes: 60_000_000, rate: "4M")
                #expect((1...50_000_000).contains(came), "\(came) bytes")
                // Her connections are cut first; the gateway is told by the next pass.
                try await eventually("she is refused") { try await status(controller, "carol", carols) == "429 quota_total" }
                // Also right after a restart of the controller.
                try await controller.crash()
                try await controller.start()
                for _ in 0..<20 { #expect(try await status(controller, "carol", carols) == "429 quota_total") }
                #expect(try await controller.command("users", "list").output.contains("quota_total"))

                // Removed: what runs is cut, and somebody new of that name begins with nothing.
                let running = Task { try await download(controller, "alice", ControllerProcess.password, bytes: 200_000_000, rate: "4M") }
                try await eventually("it runs") {
                    try await controller.call("GET", "/api/users/alice/usage").text.contains(/"bytes_out" ?: ?[1-9]/)
                }
                #expect(try await controller.call("DELETE", "/api/users/alice").status == 204)
                #expect(try await running.value < 200_000_000)
                #expect(try await controller.call("DELETE", "/api/users/carol").status == 204)
                let again = try await controller.call("POST", "/api/users", #"{"name":"carol"}"#)
                #expect(try await status(controller, "carol", field("password", again) ?? "") == "200")
                #expect(controller.haproxyWorkers == workers, "nothing of this reloaded HAProxy")
                #expect(!controller.log.contains("usage can't be collected"))
            }
        }

        @Test(.timeLimit(.minutes(2))) func `a user sees their own at the gateway and at the API, and moves their session`() async throws {
            try await ControllerProcess.with { controller in
                _ = try await controller.open("us")
                _ = try await controller.open("us")
                let made = try await controller.call("POST", "/api/users", #"{"name":"bob","limits":{"bytes_per_day":50000000}}"#)
                let password = try #require(field("password", made))
                let issued = try await controller.command("users", "token", "bob", "--expires-in", "1d")
                let token = try #require(issued.output.split(separator: " ").last.map { $0.filter { !$0.isWhitespace } })
                #expect(issued.status == 0 && token.count == 43, "\(issued.output)")
                func api(_ method: String, _ path: String, _ body: String? = nil) async throws -> HTTPResponse {
                    try await controller.call(method, path, body, key: token)
                }
                func page(_ path: String) async throws -> HTTPResponse {
                    try await controller.lab.get(
                        "http://ip.sallyport\(path)", through: controller.gateway, user: "bob-country-us-session-a1", password: password)
                }
                let before = try #require(field("exit", try await page("/")))
                #expect(try await download(controller, "bob", password, bytes: 100_000) == 100_000)
                #expect(try await status(controller, "bob", password, url: "http://10.0.0.1/") == "403 target_not_allowed")

                let used = try await eventually("the gateway is told what is used", within: 20) { () -> String? in
                    let text = try await page("/status").text
                    return text.contains(/"limit": 50000000, "used": [1-9]/) ? text : nil
                }
                #expect(used.contains(#""exit": "\#(before)""#) && used.contains(#""reason": "target_not_allowed""#), "\(before): \(used)")
                let me = try await api("GET", "/api/me")
                #expect(me.status == 200 && me.text.contains(/"left" ?: ?49[0-9]{6}/) && field("name", me) == "bob", "\(me.text)")
                let sessions = try await api("GET", "/api/me/sessions")
                #expect(
                    sessions.text.contains(#""session":"a1""#) && sessions.text.contains(#""exit":"\#(before)""#),
                    "\(before): \(sessions.text)")
                let moved = try await api("POST", "/api/me/rotate", #"{"session":"a1"}"#)
                #expect(moved.status == 200, "\(moved.text)")
                let after = field("exit", try await page("/"))
                #expect(after != nil && after != before)
                #expect(try await api("GET", "/api/users").status == 403)
                #expect(try await api("POST", "/api/exits", #"{"country":"us"}"#).status == 403)

                // What the gateway knows is told without a controller.
                try await controller.crash()
                #expect(try await page("/status").text.contains(#""limit": 50000000"#))
                try await controller.start()
                #expect(try await api("GET", "/api/me").status == 200, "the token is in the store")
                let log = try await controller.call("GET", "/audit/logs").text + controller.log
                #expect(log.contains("POST /api/users/{name}/token") && !log.contains(token) && !log.contains(Digest.sha256(token)))
                _ = try await controller.call("PATCH", "/api/users/bob", #"{"disabled":true}"#)
                #expect(try await api("GET", "/api/me").status == 403)
                #expect(try await controller.command("users", "token", "bob", "--remove").status == 0)
                #expect(try await api("GET", "/api/me").status == 401)
            }
        }

        @Test(.timeLimit(.minutes(2))) func `what a user has used is what the client counted, whoever is killed`() async throws {
            try await ControllerProcess.with { controller in
                _ = try await controller.open("us")
                var (bytes, requests) = (0, 0)
                func spend() async throws {
                    for size in [1_000, 100_000, 3_000_000] {
                        #expect(try await download(controller, "alice", ControllerProcess.password, bytes: size) == size)
                        (bytes, requests) = (bytes + size, requests + 1)
                    }
                }
                func agrees(_ what: String) async throws {
                    struct Answer: Decodable {
                        let total: Usage
                        let days: [Usage]
                        let hours: [Usage]
                    }
                    let answer = try await eventually("all is counted: \(what)", within: 30) {
                        let answer = try? JSONDecoder().decode(
                            Answer.self, from: Data(try await controller.call("GET", "/api/users/alice/usage?days=2&hours=2").body))
                        return answer.flatMap { $0.total.bytesOut >= bytes ? $0 : nil }
                    }
                    #expect((bytes...bytes + 1_000 * requests).contains(answer.total.bytesOut), "\(what): \(answer.total), \(bytes) bytes")
                    #expect(answer.total.connections == requests, "\(what): \(answer.total)")
                    #expect(answer.days.reduce(Usage(), +) == answer.total && answer.hours.reduce(Usage(), +) == answer.total)
                }
                try await spend()
                try await agrees("at first")
                // Killed in the middle: what came meanwhile is counted by the next one.
                let meanwhile = Task { try await download(controller, "alice", ControllerProcess.password, bytes: 8_000_000, rate: "4M") }
                try await controller.crash()
                try await spend()
                #expect(try await meanwhile.value == 8_000_000)
                (bytes, requests) = (bytes + 8_000_000, requests + 1)
                try await controller.start()
                try await agrees("the controller killed")
                let pid = try #require(controller.redisPid)
                kill(pid, SIGKILL)
                try await spend()
                try await agrees("Redis killed")
                // What was read before HAProxy dies stays; the new one counts from zero.
                let master = try #require(controller.haproxyPid)
                kill(master, SIGKILL)
                try await eventually("the proxies answer again", within: 20) {
                    guard controller.haproxyPid != master else { return false }
                    return (try? await status(controller, "alice", ControllerProcess.password)) == "200"
                }
                requests += 1
                try await spend()
                try await agrees("HAProxy killed")

                // The one exit has carried all of it, also for an operator who may see no users.
                struct Carried: Decodable {
                    let id: String
                    let total: Usage
                    let hours: [Usage]
                }
                let carried = try JSONDecoder().decode(
                    Carried.self, from: Data(try await controller.call("GET", "/api/exits/us-1/usage?hours=2").body))
                #expect(carried.id == "us-1" && carried.total.bytesOut >= bytes, "\(carried)")
                #expect(carried.hours.reduce(Usage(), +) == carried.total)
                #expect(try await controller.command("exits", "usage", "us-1", "--json").output.contains("\(carried.total.bytesOut)"))
                #expect(try await controller.call("GET", "/api/exits/us-9/usage").status == 404)
            }
        }

        @Test(.timeLimit(.minutes(1))) func `a name that leads to a private address, at once or later, leads nowhere`() async throws {
            try await ControllerProcess.with { controller in
                let exit = try await controller.open("us")
                let lab = controller.lab.lab
                let internet = lab.layout.container("internet")
                let server = try #require(lab.layout.servers.first { $0.address == exit.server?.address })
                // Somebody is there: on the server's side of the tunnel, and on this machine at the exits' own bridge.
                let canaryHere = try await controller.lab.engine.execute(
                    ["/bin/busybox", "sh", "-c", "busybox httpd -p 10.5.0.1:80 -h /; busybox wget -q -O /dev/null http://10.5.0.1/server"],
                    in: lab.layout.container(server.container))
                #expect(canaryHere.status == 0, "a web server answers there: \(canaryHere.output)")
                let bridge = try #require(try await controller.lab.engine.network(controller.owner)?.gateway)
                let canary = try CanaryListener(bridge)
                defer { canary.stop() }
                let name = "rebind-\(Digest.randomHex(bytes: 3)).lab.test"
                func resolve(_ address: String?) async throws {
                    let line = address.map { "\($0) \(name)" } ?? ""
                    _ = try await controller.lab.engine.execute(
                        ["/bin/busybox", "sh", "-c", "echo '\(line)' >/run/names/test"], in: internet)
                }
                func ask(_ port: Int = 80) async throws -> Int {
                    try await controller.proxied("us", url: "http://\(name):\(port)/\(port == 80 ? "ip" : "")", deadline: 10).status
                }
                #expect(try await ask() == 200, "at first it is the internet's")
                for address in ["10.5.0.1", "127.0.0.1", "169.254.169.254", bridge, "192.168.1.1"] {
                    try await resolve(address)
                    try await eventually("\(address) is refused", within: 10) { try await ask(address == bridge ? canary.port : 80) != 200 }
                    for _ in 0..<3 { #expect(try await ask(address == bridge ? canary.port : 80) != 200, "\(address)") }
                }
                #expect(canary.count == 0, "nobody came to this machine")
                // By its address this machine's own bridge is refused before it comes to an exit, though it came after HAProxy's start.
                #expect(
                    try await status(controller, "alice", ControllerProcess.password, url: "http://\(bridge):\(canary.port)/")
                        == "403 target_not_allowed")
                try await resolve(nil)
                try await eventually("it is the internet's again") { try await ask() == 200 }
            }
        }
    }
}

/// Counts who comes to a port that nobody may reach.
private final class CanaryListener: Sendable {
    private let descriptor: Int32
    let port: Int

    init(_ address: String) throws {
        (descriptor, port) = try Ports.listen(address, 0)
    }

    /// Connections that wait to be taken.
    var count: Int {
        var count = 0
        while true {
            let taken = accept(descriptor, nil, nil)
            guard taken >= 0 else { return count }
            close(taken)
            count += 1
        }
    }

    func stop() { close(descriptor) }
}
