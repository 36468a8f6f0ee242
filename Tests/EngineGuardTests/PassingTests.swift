import DockerEngine
@testable import EngineGuard
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

/// What an exit needs goes through, as a request of the guard's own.
@Suite(.serialized, .timeLimit(.minutes(1))) struct PassingTests {
    private static let filters = "%7B%22label%22%3A%5B%22io.sallyport.owner%3Dsallyport%22%5D%7D"
    private static let eventFilters = "%7B%22type%22%3A%5B%22container%22%5D%2C%22label%22%3A%5B%22io.sallyport.owner%3Dsallyport%22%5D%7D"
    /// As a client may write it; and as the guard does.
    private static let exec = made.replacing("{\"AttachStderr\":true,", with: "{ \"\\u0041ttachStderr\" : true,\n")
    private static let made =
        (try? EngineCoding.encode(ExecCreate(cmd: ExitCommand.tunnel.words))).map { String(decoding: $0, as: UTF8.self) } ?? ""

    /// Method, target and body of the client; line and body of what the engine gets.
    @Test(
        arguments: [
            ("GET", "/_ping", "", "GET /_ping", ""),
            ("GET", "/v1.41/containers/json?all=true&filters=\(filters)", "", "GET /v1.41/containers/json?all=true&filters=\(filters)", ""),
            ("GET", "/v1.47/containers/json", "", "GET /v1.47/containers/json?all=true&filters=\(filters)", ""),
            ("GET", "/v1.41/networks/sallyport", "", "GET /v1.41/networks/sallyport", ""),
            ("GET", "/v1.41/containers/sallyport-us-1-g3/json", "", "", ""),
            (
                "GET", "/v1.41/containers/sallyport-us-1-g3/logs?stdout=true&stderr=true&tail=20", "",
                "GET /v1.41/containers/\(GuardSubject.id)/logs?stdout=true&stderr=true&tail=20", ""
            ),
            ("POST", "/v1.41/containers/sallyport-us-1-g3/start", "", "POST /v1.41/containers/\(GuardSubject.id)/start", ""),
            (
                "DELETE", "/v1.41/containers/sallyport-us-1-g3?force=true&v=true", "",
                "DELETE /v1.41/containers/\(GuardSubject.id)?force=true&v=true", ""
            ),
            (
                "POST", "/v1.41/containers/sallyport-us-1-g3/exec", exec, "POST /v1.41/containers/\(GuardSubject.id)/exec", made
            ),
        ] as [(String, String, String, String, String)])
    func `a call is made anew`(call: (String, String, String, String, String)) async throws {
        try await GuardSubject.with { subject in
            let answer = try await subject.ask(
                call.0, call.1, Array(call.2.utf8), headers: "X-Registry-Auth: secret", "User-Agent: curl", "Content-Type: text/plain")
            #expect((200..<300).contains(answer.status), "\(answer.text)")
            #expect(subject.asked.map(\.line) == (call.3.isEmpty ? [] : [call.3]))
            #expect(subject.asked.map(\.text) == (call.3.isEmpty ? [] : [call.4]))
            #expect(!subject.arrived.contains { $0.head.contains("secret") || $0.head.contains("curl") || $0.head.contains("plain") })
        }
    }

    @Test(arguments: [(nil, false), ("172.30.240.130", false), (nil, true)] as [(String?, Bool)])
    func `a new exit is made of the template, however its body is written`(address: String?, tunnelHasIPv6: Bool) async throws {
        try await GuardSubject.with { subject in
            let good = try subject.good(address: address, tunnelHasIPv6: tunnelHasIPv6)
            // Blanks, escapes and another order mean the same.
            let spaced = good.replacing("\"HostConfig\":", with: "\r\n\t\"\\u0048ostConfig\" : ").replacing(
                "\"Memory\":268435456", with: "\"Memory\":2.68435456e8")
            for text in [good, spaced] {
                subject.forget()
                let answer = try await subject.ask("POST", GuardSubject.createTarget, Array(text.utf8))
                #expect(answer.status == 201, "\(answer.text)")
                let made = subject.asked.filter { !$0.line.contains("/networks/") }
                #expect(made.map(\.line) == ["POST \(GuardSubject.createTarget)"] && made.map(\.text) == [good])
            }
        }
    }

    @Test func `the file of an exit is packed anew`() async throws {
        try await GuardSubject.with { subject in
            let archive = ExitFile.archive(Array("PRIVATE_KEY=x\nMTU=1380\n".utf8))
            let answer = try await subject.ask("PUT", "\(GuardSubject.container)/archive?path=%2Fconfig", archive)
            #expect(answer.status == 200, "\(answer.text)")
            #expect(subject.asked.map(\.line) == ["PUT /v1.41/containers/\(GuardSubject.id)/archive?path=%2Fconfig"])
            #expect(subject.asked.map(\.body) == [archive])
        }
    }

    @Test func `only our own archive becomes an image, and the engine gets the guard's copy`() async throws {
        try await GuardSubject.with { subject in
            let tag = try #require(subject.guardian.rules.tag)
            let target = "/v1.41/images/create?fromSrc=-&repo=sallyport-exit%3A\(tag)&changes=ENTRYPOINT%20%5B%22%2Fexit%22%5D"
            let found = try await subject.ask("GET", "/v1.41/images/sallyport-exit%3A\(tag)/json")
            #expect(found.status == 200 && subject.asked.map(\.line) == ["GET /v1.41/images/sallyport-exit%3A\(tag)/json"])
            subject.forget()
            let stored = try Files.read("\(subject.folder.path)/exit.tar")
            let imported = try await subject.ask("POST", target, Array(stored.utf8), headers: "Expect: 100-continue")
            #expect(imported.text.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"))
            #expect(subject.asked.map(\.line) == ["POST \(target)"] && subject.asked.map(\.body) == [Array(stored.utf8)])
            subject.forget()
            // As controllers of earlier versions ask; the engine is asked in one way, which Podman knows too.
            let apart = target.replacing("%3A\(tag)", with: "&tag=\(tag)")
            let again = try await subject.ask("POST", apart, Array(stored.utf8))
            #expect(again.status == 200 && subject.asked.map(\.line) == ["POST \(target)"], "\(again.text)")
            subject.forget()
            var other = Array(stored.utf8)
            other[other.count - 1] ^= 1
            for (body, target) in [
                (other, target), (Array(stored.utf8.dropLast()), target), (other + [1], target),
                (Array(stored.utf8), target.replacing(tag, with: "latest")),
                (Array(stored.utf8), target.replacing("sallyport-exit", with: "debian")),
                (Array(stored.utf8), target.replacing("%3A\(tag)", with: "")), (Array(stored.utf8), target + "&tag=\(tag)"),
                (Array(stored.utf8), target + "&tag=latest"), (Array(stored.utf8), apart.replacing("&tag=\(tag)", with: "&tag=x")),
                (Array(stored.utf8), target.replacing("fromSrc=-", with: "fromSrc=http")),
                (Array(stored.utf8), target + "&changes=USER%200"),
                (Array(stored.utf8), target.replacing("%5B", with: "%5B%22%2Fbin%2Fsh%22,")),
                (Array(stored.utf8), target + "&fromImage=debian"), ([], "/v1.41/images/create?fromImage=debian&repo=sallyport-exit"),
            ] {
                let answer = try await subject.ask("POST", target, body)
                #expect(answer.status == 403, "\(target) \(answer.text)")
            }
            #expect(subject.arrived.isEmpty)
        }
    }

    @Test func `a program that was begun here is started once, and nobody else's is`() async throws {
        try await GuardSubject.with { subject in
            let start = "/v1.41/exec/\(GuardSubject.exec)/start"
            let look = "/v1.41/exec/\(GuardSubject.exec)/json"
            let body = Array(#"{"Detach":false}"#.utf8)
            let early = try await subject.ask("POST", start, body)
            #expect(early.status == 403)
            #expect(try await subject.ask("GET", look).status == 403)
            #expect(subject.arrived.isEmpty)
            #expect(try await subject.ask("POST", "\(GuardSubject.container)/exec", Array(Self.exec.utf8)).status == 201)
            for wrong in [#"{"Detach":true}"#, #"{"Detach":false,"Tty":true}"#, "{}", "", #"{"Detach":false,"Detach":false}"#] {
                #expect([400, 403].contains(try await subject.ask("POST", start, Array(wrong.utf8)).status))
            }
            subject.forget()
            #expect(try await subject.ask("POST", start, body).status == 200)
            #expect(try await subject.ask("POST", start, body).status == 403)
            #expect(try await subject.ask("GET", look).status == 200)
            #expect(subject.arrived.map(\.line) == ["POST \(start)", "GET \(look)"] && subject.arrived.first?.text == #"{"Detach":false}"#)
        }
    }

    /// The code that the controller runs, through the guard.
    @Test func `an exit is launched, asked, shown and removed by the engine's client`() async throws {
        let subject = try GuardSubject { connection, request in
            guard request.line.hasSuffix("/start"), request.line.contains("/exec/") else { return false }
            let output = "peer\t7\npeer\t10\t20\n"
            connection.write(
                Array("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n".utf8)
                    + [1, 0, 0, 0, 0, 0, 0, UInt8(output.utf8.count)] + Array(output.utf8))
            return true
        }
        let client = HTTPClient()
        let engine = try EngineClient(address: "unix://\(subject.socket)", client: client)
        let containers = ExitContainers(
            engine: engine,
            settings: .init(
                owner: "sallyport", image: subject.image, imageArchive: "\(subject.folder.path)/exit.tar", network: "sallyport", subnet: nil
            ),
            log: .none)
        #expect(try await containers.list().isEmpty)
        try await containers.prepareImage()
        #expect(try await containers.prepareNetwork() == "172.30.240.1")
        let tunnel = try await containers.tunnel(of: "sallyport-us-1-g3")
        #expect(tunnel.received == 10 && tunnel.sent == 20)
        try await containers.remove("sallyport-us-1-g3")
        let refused = try await #require(throws: EngineError.self) { try await containers.remove("traefik") }
        #expect(refused.code == .refused && refused.message.contains("only containers with names like sallyport-us-1-g1"))
        client.close()
        await subject.stop()
    }
}
