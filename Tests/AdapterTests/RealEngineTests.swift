@testable import DockerEngine
import Foundation
import HTTPTransport
import Model
import Platform
import Synchronization
import TestSupport
import Testing

/// The engine that DOCKER_HOST names, with an image, a network and a label of this test's own, all gone at the end.
struct EngineSubject: Sendable {
    static let archive = "\(Repository.root)/.build/images/exit.tar"

    let engine: EngineClient
    let name: String
    var image: String { "\(name):test" }
    var label: String { "io.sallyport.owner=\(name)" }

    static func with(_ body: (EngineSubject) async throws -> Void) async throws {
        let client = HTTPClient()
        let subject = EngineSubject(
            engine: try EngineClient(address: try #require(Repository.engine), client: client), name: "test-\(Digest.randomHex(bytes: 4))")
        let result = await Result {
            let archive = [UInt8](try Data(contentsOf: URL(filePath: archive)))
            try await subject.engine.importImage(subject.image, archive: archive, changes: ["ENTRYPOINT [\"/exit\"]"])
            try await subject.engine.createNetwork(
                NetworkCreate(name: subject.name, subnet: nil, labels: ["io.sallyport.owner": subject.name]))
            try await body(subject)
        }
        for container in try await subject.engine.listContainers(labels: [subject.label]) {
            try await subject.engine.removeContainer(container.id)
        }
        try await subject.engine.removeNetwork(subject.name)
        try await subject.engine.removeImage(subject.image)
        client.close()
        try result.get()
    }

    /// A container of busybox alone.
    func create(_ suffix: String, _ script: String) async throws -> String {
        var container = ContainerCreate(image: image, network: name)
        container.entrypoint = ["/bin/busybox", "sh", "-c", script]
        container.labels = ["io.sallyport.owner": name]
        container.hostConfig.mounts = [.init(type: "volume", target: "/config")]
        return try await engine.createContainer(name: "\(name)-\(suffix)", container)
    }
}

@Suite(
    .serialized, .timeLimit(.minutes(2)),
    .enabled(if: Repository.engine != nil, "DOCKER_HOST is unset; run them with `containers/engine run swift test`"),
    .enabled(if: Files.exists(EngineSubject.archive), "there is no .build/images/exit.tar; `make images` makes it"))
struct RealEngineTests {
    @Test func `a container is made, filled, started, asked, read, stopped and removed`() async throws {
        try await EngineSubject.with { subject in
            let engine = subject.engine
            let id = try await subject.create(
                "a", "busybox cat /config/exit.conf; echo oops >&2; trap 'exit 9' TERM; while :; do busybox sleep 0.05; done")
            try await engine.upload([TarFile(name: "exit.conf", mode: 0o600, content: Array("KEY=value\n".utf8))], to: "/config", of: id)
            try await engine.startContainer(id)
            try await engine.startContainer(id)
            let details = try await engine.inspectContainer(id)
            #expect(details.state.running && details.networkSettings.networks?[subject.name]?.address?.isEmpty == false)
            // Its two streams come to the log in either order.
            try await eventually("it has written") {
                let logs = try await engine.logs(of: id, lines: 10)
                return logs.contains("oops") && logs.contains("KEY=value")
            }
            let logs = try await engine.logs(of: id, lines: 10)
            #expect(logs.contains("KEY=value\n") && logs.contains("oops\n"))
            #expect(try await engine.logs(of: id, lines: 1).split(separator: "\n").count == 1)
            let asked = try await engine.execute(["/bin/busybox", "sh", "-c", "busybox stat -c %a /config/exit.conf; exit 5"], in: id)
            #expect(asked.status == 5 && asked.output == "600\n")
            try await engine.stopContainer(id, grace: 5)
            try await engine.stopContainer(id, grace: 5)
            #expect(try await engine.inspectContainer(id).state.exitCode == 9)
            let listed = try #require(try await engine.listContainers(labels: [subject.label]).first)
            #expect(listed.name == "\(subject.name)-a" && listed.state == "exited" && listed.exitCode == 9)
            try await engine.removeContainer(id)
            try await engine.removeContainer(id)
            #expect(try await engine.listContainers(labels: [subject.label]).isEmpty)
            let error = try await #require(throws: EngineError.self) { try await engine.inspectContainer(id) }
            #expect(error.code == .notFound)
        }
    }

    @Test func `containers are found by all of their labels, running or not`() async throws {
        try await EngineSubject.with { subject in
            let running = try await subject.create("a", "busybox sleep 100")
            _ = try await subject.create("b", "true")
            try await subject.engine.startContainer(running)
            let found = try await subject.engine.listContainers(labels: [subject.label])
            #expect(found.map(\.name).sorted() == ["\(subject.name)-a", "\(subject.name)-b"])
            #expect(Set(found.map(\.state)) == ["running", "created"] && found.allSatisfy { $0.exitCode == nil })
            #expect(try await subject.engine.listContainers(labels: [subject.label, "io.sallyport.exit=us-1"]).isEmpty)
            let conflict = try await #require(throws: EngineError.self) { try await subject.create("a", "true") }
            #expect(conflict.code == .conflict)
            try await subject.engine.killContainer(running)
            try await eventually("it is killed") { try await subject.engine.inspectContainer(running).state.exitCode == 137 }
        }
    }

    @Test func `events ring for our containers, and for nobody else's`() async throws {
        try await EngineSubject.with { subject in
            let events = try await subject.engine.containerEvents(label: subject.label)
            let seen = Mutex<[String]>([])
            let reading = Task { for try await event in events { seen.withLock { $0.append(event.action ?? "") } } }
            // The engine has no way to tell that it listens: make containers until one is seen.
            var number = 0
            try await eventually("a start is seen") {
                number += 1
                let id = try await subject.create("e\(number)", "exit 3")
                try await subject.engine.startContainer(id)
                try await Task.sleep(for: .milliseconds(100))
                return seen.withLock { $0.contains("start") }
            }
            try await eventually("the end is seen") { seen.withLock { $0.contains("die") } }
            try await subject.engine.removeContainer("\(subject.name)-e\(number)")
            try await eventually("the removal is seen") { seen.withLock { $0.contains("destroy") } }
            reading.cancel()
            _ = try? await reading.value
        }
    }

    @Test func `an image that can't be pulled is a clear error with the remedy`() async throws {
        let client = HTTPClient()
        let engine = try EngineClient(address: try #require(Repository.engine), client: client)
        let settings = ExitContainers.Settings(
            owner: "test", image: "127.0.0.1:1/sallyport/no-such-image:1", imageArchive: "/nowhere/exit.tar", network: "test", subnet: nil)
        let containers = ExitContainers(engine: engine, settings: settings, log: .none)
        let error = try await #require(throws: EngineError.self) { try await containers.prepareImage() }
        #expect(
            error.code == .notFound && error.message.contains("make images") && error.message.contains("/nowhere/exit.tar is not there"))
        client.close()
    }

    @Test func `an exit is launched as the design says, found again, and its key is nowhere to be seen`() async throws {
        try await EngineSubject.with { subject in
            let settings = ExitContainers.Settings(
                owner: subject.name, image: subject.image, imageArchive: nil, network: subject.name, subnet: nil,
                credentials: ExitCredentials(root: RootKey(text: Secret(Digest.randomHex(bytes: 32)))))
            let containers = ExitContainers(engine: subject.engine, settings: settings, log: .none)
            let keys = WireGuardKeys()
            let server = Server(
                provider: .nordvpn, hostname: "us1", address: "198.18.99.99", port: 51820, publicKey: WireGuardKeys().publicKey,
                country: us,
                city: nil, load: 1)
            let specification = ExitSpecification(
                id: ExitID(country: us, number: 1), generation: 3, server: server,
                facts: TunnelFacts(clientAddress: "10.5.0.2/32", dns: ["10.5.0.1"], mtu: 1380, keepalive: 25), privateKey: keys.privateKey,
                checkName: "check.test")
            let made = try await containers.launch(specification)
            #expect(made.container == "\(subject.name)-us-1-g3" && made.endpoint.port == ExitContainers.proxyPort)
            let found = try #require(try await containers.list().first)
            #expect(found.name == made.container && found.exit == specification.id && found.generation == 3)
            let inspected = try await subject.engine.call("GET", "/containers/\(made.container)/json", action: "inspecting").text
            #expect(!inspected.contains(keys.privateKey.revealed) && inspected.contains("no-new-privileges"))
            // A container of that name, left behind by a dead controller, is made anew.
            #expect(try await containers.launch(specification).container == made.container)
            #expect(try await containers.list().count == 1)
            try await containers.remove(made.container)
            try await containers.remove(made.container)
            #expect(try await containers.list().isEmpty)
            // The network stays for nobody: removing all takes it away, and twice is fine.
            try await containers.removeAll()
            try await containers.removeAll()
            #expect(try await subject.engine.network(subject.name) == nil)
        }
    }
}
