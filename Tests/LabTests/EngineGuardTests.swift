import DockerEngine
import EngineGuard
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// The broker before the real engine.
    @Suite(.serialized, .timeLimit(.minutes(2))) struct EngineGuardTests {
        private struct Guarded {
            let stage: Stage
            let exits: ExitContainers
            let engine: EngineClient
            let socket: String

            static func with(_ body: (Guarded) async throws -> Void) async throws {
                try await Stage.with { stage in
                    let folder = try TemporaryFolder()
                    var settings = EngineGuard.Settings(
                        listen: "\(folder.path)/guard.sock", engine: EngineClient.socketPath(engineAddress ?? "") ?? "")
                    (settings.owner, settings.network) = (stage.owner, stage.owner)
                    settings.imageArchive = "\(projectFolder)/.build/images/exit.tar"
                    let guardian = try EngineGuard(settings, log: .none)
                    let engine = try EngineClient(address: "unix://\(settings.listen)", client: stage.lab.client)
                    let exits = stage.lab.exitContainers(owner: stage.owner, engine: engine)
                    let guarded = Guarded(stage: stage, exits: exits, engine: engine, socket: settings.listen)
                    do { try await body(guarded) } catch {
                        await guardian.stop()
                        throw error
                    }
                    await guardian.stop()
                }
            }

            /// - Returns: status and body.
            func ask(_ method: String, _ path: String, _ body: String = "") async throws -> HTTPResponse {
                var request = HTTPRequest(method, "http://engine/v1.41\(path)", body: body.isEmpty ? nil : Array(body.utf8))
                request.headers = [("Content-Type", "application/json")]
                request.unixSocket = socket
                return try await stage.lab.client.send(request)
            }
        }

        @Test func `an exit is launched, proved, asked and removed through it, and its events ring`() async throws {
            try await Guarded.with { guarded in
                let (stage, exits) = (guarded.stage, guarded.exits)
                let changes = try await exits.changes()
                let ring = Task {
                    for try await _ in changes { return true }; return false
                }
                try await exits.prepareImage()
                #expect(try await exits.prepareNetwork() == stage.gateway)
                let server = try stage.lab.server("us-1")
                let exit = try await exits.launch(stage.lab.specification(server))
                try await eventually("the exit serves") {
                    (try? await stage.lab.get("http://ip.lab.test/ip", throughExit: exit.endpoint, deadline: 1))?.text
                        == "\(server.address)\n"
                }
                #expect(try await exits.tunnel(of: exit.container).handshakeAt != nil)
                #expect(try await exits.list().map(\.name) == [exit.container])
                #expect(try await exits.logs(of: exit.container, lines: 20).contains("proxy listening"))
                #expect(try await ring.value)
                // What a dead controller left behind is made anew.
                let again = try await exits.launch(stage.lab.specification(server))
                #expect(again.container == exit.container)
                try await exits.remove(exit.container)
                try await exits.remove(exit.container)
                #expect(try await stage.exits.list().isEmpty)
            }
        }

        @Test func `what would open the machine is refused, and the engine has none of it`() async throws {
            try await Guarded.with { guarded in
                let stage = guarded.stage
                let server = try stage.lab.server("us-1")
                let exit = try await guarded.exits.launch(stage.lab.specification(server))
                let image = ExitContainers.imageName("sallyport-exit", of: "\(projectFolder)/.build/images/exit.tar")
                let template = ExitTemplate(
                    owner: stage.owner, image: image, network: stage.owner, exit: ExitID(country: server.country, number: 9), generation: 1,
                    server: server.address, fingerprint: "0123456789abcdef", fence: 0)
                let good = String(decoding: try EngineCoding.encode(template.container), as: UTF8.self)
                let create = "/containers/create?name=\(template.name)"
                for (from, to) in [
                    ("\"HostConfig\":{", "\n\"HostConfig\":{\"Privileged\":true,"),
                    ("[\"no-new-privileges\"]", "\n[\n\"seccomp=unconfined\"]"),
                    ("\"NetworkMode\":\"\(stage.owner)\"", "\n\"NetworkMode\":\"host\""),
                    ("\"HostConfig\":{", "\"Decoy\":\(good),\"HostConfig\":{\"Binds\":[\"/:/host\"],"),
                    ("\"EndpointsConfig\":{", "\"EndpointsConfig\":{\"bridge\":{},"),
                    ("\"HostConfig\":{", "\"HostConfig\":{\"\\u0050rivileged\":true,"),
                    ("\"NetworkMode\":", "\"NetworkMode\":\"host\",\"NetworkMode\":"),
                    (
                        "\"EndpointsConfig\":{\"\(stage.owner)\":{}}",
                        "\"EndpointsConfig\":{\"\(stage.owner)\":{\"IPAMConfig\":{\"IPv4Address\":\"\(stage.gateway)\"}}}"
                    ),
                ] {
                    let bad = good.replacing(from, with: to)
                    #expect(bad != good)
                    #expect(try await guarded.ask("POST", create, bad).status == 403, "\(to)")
                }
                let words = String(decoding: try EngineCoding.encode(ExecCreate(cmd: ExitCommand.tunnel.words)), as: UTF8.self).dropLast()
                for more in [
                    ",\"Privileged\":true}", ",\"User\":\"0\"}", "\n,\n\"privileged\":true}", ",\"Cmd\":[\"nft\",\"flush\",\"ruleset\"]}",
                ] {
                    #expect(try await guarded.ask("POST", "/containers/\(exit.container)/exec", words + more).status == 403)
                }
                for (method, path) in [
                    ("GET", "/info"), ("POST", "/networks/bridge/connect"),
                    ("GET", "/containers/\(stage.lab.lab.layout.container(server.container))/json"),
                    ("DELETE", "/containers/\(stage.lab.lab.layout.container(server.container))?force=true&v=true"),
                ] { #expect(try await guarded.ask(method, path).status == 403) }
                let refused = try await #require(throws: EngineError.self) {
                    try await guarded.engine.execute(["busybox", "id"], in: exit.container)
                }
                #expect(refused.message.contains("not a program that the controller runs"))
                #expect(try await stage.exits.list().map(\.name) == [exit.container])
                // The same body, unspoilt, is a container.
                #expect(try await guarded.ask("POST", create, good).status == 201)
            }
        }
    }
}
