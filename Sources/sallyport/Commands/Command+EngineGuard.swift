import DockerEngine
import EngineGuard
import Glibc
import Platform

/// The broker between a controller in a container and the Docker Engine.
extension Command {
    static let engineGuard = Command(
        name: "engine-guard", usage: "", summary: "Allow a controller only those calls of the Docker Engine that exits need",
        options: [
            Option(name: "listen", value: "SOCKET", help: "the Unix socket to make, like unix:///run/engine/docker.sock"),
            Option(name: "engine", value: "SOCKET", help: "the engine's (default unix:///var/run/docker.sock)"),
            Option(name: "owner", value: "NAME", help: "the owner of the containers: docker.owner (default sallyport)"),
            Option(name: "network", value: "NAME", help: "the exits' network: docker.network (default sallyport)"),
            Option(name: "image", value: "NAME", help: "the exits' image, without a tag (default sallyport-exit)"),
            Option(
                name: "image-archive", value: "FILE",
                help: "the only archive that may be imported as that image; without it none may, and any tag is accepted"),
            Option(
                name: "make-network", value: "SUBNET",
                help: "make the exits' network where there is none, with this subnet (172.31.240.0/24) or, with auto, a free one"),
            Option(name: "socket-group", value: "NAME", help: "the only group that may use the socket (default everybody who reaches it)"),
            Option(name: "json", help: "log JSON"),
        ],
        examples: [
            "sallyport engine-guard --listen unix:///run/engine/docker.sock --image-archive /usr/share/sallyport/.build/images/exit.tar"
        ]
    ) { arguments in
        _ = try arguments.expect()
        func socket(_ name: String, _ text: String) throws -> String {
            guard let path = EngineClient.socketPath(text) else {
                throw UsageError(message: "--\(name) is \(text), expected a Unix socket like unix:///run/engine/docker.sock")
            }
            return path
        }
        func word(_ name: String, _ preset: String) throws -> String {
            let text = arguments[name] ?? preset
            let isPlain = text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || "-_.".utf8.contains($0) }
            guard isPlain, (1...64).contains(text.utf8.count) else {
                throw UsageError(message: "--\(name) is \(text), expected 1 to 64 lower-case letters, digits, dots, dashes and underscores")
            }
            return text
        }
        guard let listen = arguments["listen"] else { throw UsageError(message: "--listen is missing") }
        var settings = EngineGuard.Settings(
            listen: try socket("listen", listen), engine: try socket("engine", arguments["engine"] ?? "unix:///var/run/docker.sock"))
        settings.owner = try word("owner", settings.owner)
        settings.network = try word("network", settings.network)
        settings.repository = try word("image", settings.repository)
        settings.imageArchive = arguments["image-archive"]
        settings.newNetwork = try arguments["make-network"].map { text -> EngineGuard.Settings.NewNetwork in
            if text == "auto" { return .free }
            guard Configuration.isCIDR(text) else {
                throw UsageError(message: "--make-network is \(text), expected an IPv4 network like 172.31.240.0/24, or auto")
            }
            return .subnet(text)
        }
        settings.group = arguments["socket-group"]
        let signals = Signals.stream([SIGTERM, SIGINT])
        let log = Log(format: arguments.has("json") ? .json : .text)
        let guardian = try EngineGuard(settings, log: log)
        log.info("guards the Docker Engine", ["socket": settings.listen, "engine": settings.engine, "owner": settings.owner])
        let manager = ServiceManager()
        manager?.ready()
        for await _ in signals { break }
        manager?.stopping()
        await guardian.stop()
        log.info("stopped")
        log.flush()
        return Status.success
    }
}
