@testable import DockerEngine
import HTTPTransport
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct EngineFaultTests {
    private func fails(
        _ code: EngineError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
    ) async throws {
        let error = try await #require(throws: EngineError.self, sourceLocation: sourceLocation) { try await body() }
        #expect(error.code == code, sourceLocation: sourceLocation)
    }

    @Test(
        arguments: [("1.24", nil), ("1.39", nil), ("1.40", "1.40"), ("1.41", "1.41"), ("1.47", "1.47"), ("1.99", "1.47"), ("2.0", "1.47")]
            as [(String, String?)])
    func `the newest version that both sides speak is spoken`(offered: String, spoken: String?) async throws {
        try await ScriptedEngine.answering(ping: .offers(offered)) { connection, line, _ in
            connection.answer(200, #"{"Id":"\#(line)"}"#, headers: "Connection: close")
        } body: { engine, _ in
            guard let spoken else {
                let error = try await #require(throws: EngineError.self) { try await engine.imageID("x") }
                #expect(error.code == .tooOld && error.message.contains(offered) && error.message.contains("1.40"))
                return
            }
            #expect(try await engine.version() == spoken)
            #expect(try await engine.imageID("x") == "GET /v\(spoken)/images/x/json")
        }
    }

    @Test(arguments: ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", "HTTP/1.1 200 OK\r\nApi-Version: new\r\nContent-Length: 0\r\n\r\n"])
    func `what is no Docker Engine is told so`(ping: String) async throws {
        try await ScriptedEngine.with(ping: .init { $0.write(ping) }) { engine, _ in
            let error = try await #require(throws: EngineError.self) { try await engine.imageID("x") }
            #expect(error.code == .unreadable && error.message.contains("not a Docker Engine"))
        }
    }

    @Test func `an engine that isn't there is unavailable, and the socket is named`() async throws {
        let client = HTTPClient()
        let engine = try EngineClient(address: "unix:///tmp/no-such.sock", client: client)
        let error = try await #require(throws: EngineError.self) { try await engine.listContainers(labels: []) }
        #expect(error.code == .unavailable && error.isRetryable && "\(error)".contains("/tmp/no-such.sock"))
        #expect(throws: EngineError.self) { try EngineClient(address: "tcp://127.0.0.1:2375", client: client) }
        client.close()
    }

    @Test(
        arguments: [
            (404, .notFound), (409, .conflict), (304, .conflict), (400, .refused), (500, .refused), (503, .refused),
        ] as [(Int, EngineError.Code)])
    func `a status is mapped, and the engine's own words are told`(status: Int, code: EngineError.Code) async throws {
        try await ScriptedEngine.answering { connection, _, _ in
            connection.answer(status, status == 304 ? "" : #"{"message":"its own words"}"#, headers: "Connection: close")
        } body: { engine, _ in
            let error = try await #require(throws: EngineError.self) { try await engine.inspectContainer("c") }
            #expect(error.code == code && !error.isRetryable)
            #expect(error.description.hasPrefix("inspecting container c: ") && (status == 304 || error.message == "its own words"))
        }
    }

    @Test(arguments: ["", "garbage", "[1,2", #"{"Id":1}"#, "null"])
    func `an answer that can't be read is told as that`(body: String) async throws {
        try await ScriptedEngine.answering { connection, _, _ in
            connection.answer(200, body, headers: "Connection: close")
        } body: { engine, _ in
            try await fails(.unreadable) { _ = try await engine.inspectContainer("c") }
            try await fails(.unreadable) { _ = try await engine.listContainers(labels: ["a=b"]) }
        }
    }

    @Test func `half an answer, or none, is unavailable`() async throws {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{\"Id\"", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[",
            "HTTP/1.1 2", "",
        ] {
            try await ScriptedEngine.answering { connection, _, _ in
                connection.write(answer)
            } body: { engine, _ in
                try await fails(.unavailable) { _ = try await engine.listContainers(labels: []) }
            }
        }
    }

    @Test func `an engine that hangs is left at the deadline`() async throws {
        try await ScriptedEngine.with { engine, _ in
            let start = ContinuousClock.now
            let error = try await #require(throws: EngineError.self) { try await engine.call("GET", "/x", deadline: 0.3, action: "asking") }
            #expect(error.code == .timedOut && error.isRetryable && ContinuousClock.now - start < .seconds(10))
        }
        try await ScriptedEngine.with(ping: .init { $0.hang() }) { engine, _ in
            try await fails(.timedOut) { _ = try await engine.version() }
        }
    }

    @Test func `after an engine came back as another version, that one is spoken`() async throws {
        let offered = Mutex("1.41")
        let isBroken = Mutex(false)
        try await ScriptedEngine.answering(
            ping: .init { connection in connection.answer(200, "", headers: "Api-Version: \(offered.withLock { $0 })", "Connection: close")
            }
        ) { connection, line, _ in
            if isBroken.withLock({ $0 }) { return }
            connection.answer(200, #"{"Id":"\#(line)"}"#, headers: "Connection: close")
        } body: { engine, _ in
            #expect(try await engine.imageID("x")?.contains("/v1.41/") == true)
            isBroken.withLock { $0 = true }
            try await fails(.unavailable) { _ = try await engine.imageID("x") }
            isBroken.withLock { $0 = false }
            offered.withLock { $0 = "1.43" }
            #expect(try await engine.imageID("x")?.contains("/v1.43/") == true)
        }
    }

    @Test func `an error in the middle of a progress stream is an error, though the status was 200`() async throws {
        let lines = Mutex<[String]>([])
        try await ScriptedEngine.answering { connection, _, _ in
            // Cut in the middle of a line, as packets are.
            connection.write(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"status\":\"Pulling\",\"progress\":\"1/2\"}\r\n{\"sta")
            connection.write("tus\":\"Extracting\"}\nnonsense\n{\"errorDetail\":{},\"error\":\"manifest unknown\"}\n")
        } body: { engine, _ in
            let error = try await #require(throws: EngineError.self) {
                try await engine.pullImage("registry.test:5000/name") { words in lines.withLock { $0.append(words) } }
            }
            #expect(
                error.code == .refused && error.message == "manifest unknown" && error.action == "pulling image registry.test:5000/name")
            #expect(lines.withLock { $0 } == ["Pulling 1/2", "Extracting "])
        }
    }

    @Test func `a progress stream that breaks off, or is refused, is an error`() async throws {
        try await ScriptedEngine.answering { connection, line, _ in
            if line.contains("refused") {
                connection.answer(404, #"{"message":"no such image"}"#, headers: "Connection: close")
            } else {
                connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n{\"status\":\"half\"}")
            }
        } body: { engine, _ in
            try await fails(.notFound) { try await engine.pullImage("refused") { _ in } }
            try await fails(.unavailable) { try await engine.pullImage("half") { _ in } }
        }
    }

    @Test func `what is already so is no error`() async throws {
        try await ScriptedEngine.answering { connection, line, _ in
            let status = line.contains("gone") ? 404 : line.hasPrefix("DELETE") ? 409 : 304
            connection.write("HTTP/1.1 \(status) Scripted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        } body: { engine, _ in
            try await engine.startContainer("c")
            try await engine.stopContainer("c", grace: 1)
            try await engine.removeContainer("c")
            try await engine.removeContainer("gone")
            try await engine.removeNetwork("gone")
            try await engine.removeImage("gone")
            #expect(try await engine.network("gone") == nil)
            #expect(try await engine.imageID("gone") == nil)
            try await fails(.notFound) { try await engine.startContainer("gone") }
        }
    }

    @Test func `names go into paths and queries escaped`() async throws {
        try await ScriptedEngine.answering { connection, line, _ in
            connection.answer(200, #"{"Id":"\#(line)"}"#, headers: "Connection: close")
        } body: { engine, _ in
            let asked = try await engine.imageID("a/b:c d?e&f%2F")
            #expect(asked == "GET /v1.41/images/a%2Fb%3Ac%20d%3Fe%26f%252F/json")
            #expect(EngineClient.split("host:5000/a/b") == ("host:5000/a/b", "latest"))
            #expect(EngineClient.split("host:5000/a/b:1.2") == ("host:5000/a/b", "1.2"))
        }
    }

    @Test func `a container's description is in the API's own words, and dictionary keys stay as they are`() throws {
        var container = ContainerCreate(image: "i", network: "n", address: "10.0.0.2")
        container.labels = ["io.sallyport.owner": "me"]
        container.hostConfig.tmpfs = ["/run": "rw"]
        container.healthcheck = .init(test: ["CMD", "x"], interval: 1, timeout: 2, startPeriod: 3, retries: 4)
        let text = String(decoding: try EngineCoding.encode(container), as: UTF8.self).replacing("\\/", with: "/")
        for part in [
            #""Labels":{"io.sallyport.owner":"me"}"#, #""Tmpfs":{"/run":"rw"}"#, #""NetworkMode":"n""#,
            #""IPAMConfig":{"IPv4Address":"10.0.0.2"}"#,
            #""EndpointsConfig":{"n":"#, #""StartPeriod":3"#, #""max-size":"1m""#, #""ReadonlyRootfs":false"#,
        ] { #expect(text.contains(part), "\(part) in \(text)") }
    }

    @Test(
        arguments: [
            ([], ""), ([1, 0, 0, 0, 0, 0, 0, 2, 104, 105], "hi"), ([1, 0, 0, 0, 0, 0, 0, 1, 97, 2, 0, 0, 0, 0, 0, 0, 1, 98], "ab"),
            ([1, 0, 0, 0, 0, 0, 0, 9, 104, 105], "hi"), ([1, 0, 0, 0, 255, 255, 255, 255, 104], "h"), ([1, 0, 0], ""),
            ([1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 98], "b"),
        ] as [([UInt8], String)])
    func `frames of output become text, also when they are cut off`(bytes: [UInt8], text: String) {
        #expect(EngineClient.demultiplexed(bytes) == text)
    }

    @Test func `an archive is one that tar reads`() async throws {
        let folder = try TemporaryFolder()
        let files = [
            TarFile(name: "exit.conf", mode: 0o600, content: Array("KEY=value\n".utf8)), TarFile(name: "empty", mode: 0o644, content: []),
            TarFile(name: "block", mode: 0o755, content: [UInt8](repeating: 65, count: 512)),
        ]
        let bytes = TarArchive.bytes(of: files)
        #expect(bytes.count % 512 == 0)
        // Each byte of it is ASCII, so it can be written as text.
        try Files.write(String(decoding: bytes, as: UTF8.self), to: "\(folder.path)/a.tar", mode: 0o600)
        let list = try await Programs.run(
            "sh", ["-c", "cd \(folder.path) && TZ=UTC tar tvf a.tar && tar xf a.tar && cat exit.conf && wc -c <block"])
        let lines = list.output.split(separator: "\n")
        #expect(list.status == 0 && lines.count == 5)
        for (line, part) in zip(lines, ["-rw------- 0/0", "-rw-r--r-- 0/0", "-rwxr-xr-x 0/0"]) { #expect(line.hasPrefix(part)) }
        #expect(lines[3] == "KEY=value" && lines[4] == "512")
    }
}
