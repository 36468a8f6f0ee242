import FoundationEssentials
package import Model
package import Platform
import Synchronization

/// Exits as containers of one Docker Engine: made from specifications, found again by labels.
package final class ExitContainers: Sendable {
    package struct Settings: Sendable {
        /// Whose containers these are; another owner's are never touched.
        package var owner: String
        package var image: String
        /// A tar archive of the image's root file system, imported where the engine lacks the image.
        package var imageArchive: String?
        package var network: String
        /// In CIDR form; nil lets the engine choose.
        package var subnet: String?
        /// Who may ask the exits' proxies, in CIDR form; nil for the network's own gateway, which is this machine.
        package var gatewayNetwork: String?

        package init(
            owner: String, image: String, imageArchive: String?, network: String, subnet: String?, gatewayNetwork: String? = nil
        ) {
            self.gatewayNetwork = gatewayNetwork
            self.owner = owner
            self.image = image
            self.imageArchive = imageArchive
            self.network = network
            self.subnet = subnet
        }
    }

    package static let proxyPort = 3128

    let engine: EngineClient
    private let settings: Settings
    private let log: Log
    /// The fencing number under which we may act, asked right before each change of a container; it throws where we may not.
    private let warrant: @Sendable () throws -> Int
    /// The gateway's own address on the network, once it is known to exist.
    private let gateway = Mutex<String?>(nil)

    package init(engine: EngineClient, settings: Settings, log: Log, warrant: @escaping @Sendable () throws -> Int = { 0 }) {
        self.engine = engine
        self.settings = settings
        self.log = log
        self.warrant = warrant
    }

    /// A name that changes with the archive, so that an engine never keeps running an image of yesterday.
    package static func imageName(_ name: String, of archive: String) -> String {
        guard let bytes = try? Data(contentsOf: URL(filePath: archive)) else { return "\(name):latest" }
        return "\(name):\(Digest.sha256([UInt8](bytes)).prefix(12))"
    }

    private var ownerFilter: String { "\(ExitLabel.owner)=\(settings.owner)" }

    // MARK: - What there is

    /// Every container with our owner label, running or not.
    package func list() async throws -> [ExitContainer] {
        try await engine.listContainers(labels: [ownerFilter]).map { summary in
            let labels = summary.labels ?? [:]
            let address = summary.networkSettings?.networks?[settings.network]?.address
            let endpoint = address.flatMap { $0.isEmpty ? nil : Endpoint(address: $0, port: Self.proxyPort) }
            return ExitContainer(
                name: summary.name, exit: labels[ExitLabel.exit].flatMap(ExitID.init),
                generation: Int(labels[ExitLabel.generation] ?? "") ?? 0,
                isRunning: summary.state == "running", endpoint: endpoint, server: labels[ExitLabel.server], exitCode: summary.exitCode,
                fence: Int(labels[ExitLabel.fence] ?? "") ?? 0)
        }
    }

    /// Rings for each change of one of our containers, until the engine goes away.
    package func changes() async throws -> AsyncThrowingStream<Void, any Error> {
        let events = try await engine.containerEvents(label: ownerFilter)
        return AsyncThrowingStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let task = Task {
                do {
                    for try await event in events where ["die", "destroy", "start", "oom"].contains(event.action ?? "") {
                        continuation.yield()
                    }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// The last lines that an exit's container wrote.
    package func logs(of container: String, lines: Int) async throws -> String { try await engine.logs(of: container, lines: lines) }

    // MARK: - Making and removing

    /// Creates and starts the container of a specification: its name, and where its proxy will listen.
    package func launch(_ specification: ExitSpecification) async throws -> (container: String, endpoint: Endpoint) {
        try await prepareImage()
        let gateway = try await prepareNetwork()
        do {
            return try await launch(specification, gateway: gateway)
        } catch {
            // The network may have been removed under us: look again at the next launch.
            self.gateway.withLock { $0 = nil }
            throw error
        }
    }

    private func launch(_ specification: ExitSpecification, gateway: String) async throws -> (container: String, endpoint: Endpoint) {
        let name = ExitTemplate.name(owner: settings.owner, exit: specification.id, generation: specification.generation)
        do {
            try await engine.createContainer(name: name, create(specification, fence: try warrant()))
        } catch let error as EngineError where error.code == .conflict {
            // Left behind by a controller that died before it could start it.
            let fence = try warrant()
            try await engine.removeContainer(name)
            try await engine.createContainer(name: name, create(specification, fence: fence))
        }
        let archive = ExitFile.archive(Array(configuration(specification, gateway: gateway).utf8))
        _ = try warrant()
        try await engine.upload(archive, to: ExitFile.folder, of: name)
        _ = try warrant()
        try await engine.startContainer(name)
        let details = try await engine.inspectContainer(name)
        guard let address = details.networkSettings.networks?[settings.network]?.address, !address.isEmpty else {
            throw EngineError(
                code: .refused, action: "starting container \(name)", message: "it ended with status \(details.state.exitCode)")
        }
        return (name, Endpoint(address: address, port: Self.proxyPort))
    }

    /// Removes a container and its volume; one that is gone is no error.
    package func remove(_ container: String) async throws {
        _ = try warrant()
        try await engine.removeContainer(container)
    }

    /// Removes every container of ours and the network.
    package func removeAll() async throws {
        for container in try await list() { try await remove(container.name) }
        if let network = try await engine.network(settings.network), network.labels?[ExitLabel.owner] == settings.owner {
            try await engine.removeNetwork(settings.network)
        }
        gateway.withLock { $0 = nil }
    }

    /// Makes sure that the engine has the exit's image: imported from its archive, else pulled.
    package func prepareImage() async throws {
        guard try await engine.imageID(settings.image) == nil else { return }
        if let path = settings.imageArchive, let archive = try? Data(contentsOf: URL(filePath: path)) {
            log.info("importing the exit image", ["image": settings.image, "archive": path])
            try await engine.importImage(settings.image, archive: [UInt8](archive), changes: ExitImage.changes)
            return
        }
        log.info("pulling the exit image", ["image": settings.image])
        do {
            let last = Mutex(ContinuousClock.now)
            try await engine.pullImage(settings.image) { [log] words in
                let isDue = last.withLock { last in
                    guard ContinuousClock.now - last > .seconds(1) else { return false }
                    last = ContinuousClock.now
                    return true
                }
                if isDue { log.info("pulling the exit image", ["status": words]) }
            }
        } catch let error as EngineError where error.code == .refused || error.code == .notFound {
            let archive = settings.imageArchive.map { "\($0) is not there" } ?? "no archive is configured"
            throw EngineError(
                code: .notFound, action: "preparing image \(settings.image)",
                message: "\(archive) and it can't be pulled (\(error.message)); build it with `make images`")
        }
    }

    /// Makes sure that the network of the exits exists; returns the gateway's address on it.
    package func prepareNetwork() async throws -> String {
        if let known = gateway.withLock({ $0 }) { return known }
        if try await engine.network(settings.network) == nil {
            // Exits have no business with each other.
            let options = ["com.docker.network.bridge.enable_icc": "false"]
            let network = NetworkCreate(
                name: settings.network, subnet: settings.subnet, options: options, labels: [ExitLabel.owner: settings.owner])
            do { try await engine.createNetwork(network) } catch let error as EngineError where error.code == .conflict {}
        }
        guard let address = try await engine.network(settings.network)?.gateway else {
            throw EngineError(code: .unreadable, action: "preparing network \(settings.network)", message: "it has no IPv4 gateway address")
        }
        gateway.withLock { $0 = address }
        return address
    }

    // MARK: - The container

    private func create(_ specification: ExitSpecification, fence: Int) -> ContainerCreate {
        ExitTemplate(
            owner: settings.owner, image: settings.image, network: settings.network, exit: specification.id,
            generation: specification.generation, server: specification.server.address, fingerprint: fingerprint(specification),
            fence: fence
        ).container
    }

    private func configuration(_ specification: ExitSpecification, gateway: String) -> String {
        let shared = specification.facts.presharedKey.map { "PRESHARED_KEY=\($0.revealed)\n" } ?? ""
        return shared + """
            PRIVATE_KEY=\(specification.privateKey.revealed)
            PUBLIC_KEY=\(specification.server.publicKey)
            ADDRESS=\(specification.facts.clientAddress)
            ENDPOINT=\(specification.server.address):\(specification.server.port)
            DNS=\(specification.facts.dns.joined(separator: ","))
            MTU=\(specification.facts.mtu)
            KEEPALIVE=\(specification.facts.keepalive)
            GATEWAY=\(settings.gatewayNetwork ?? "\(gateway)/32")
            PROXY_PORT=\(Self.proxyPort)
            CHECK_NAME=\(specification.checkName)

            """
    }

    /// A hash of all that the container is made of, without the key.
    private func fingerprint(_ specification: ExitSpecification) -> String {
        let server = specification.server
        let facts = specification.facts
        let parts: [String] = [
            settings.image, server.hostname, server.address, String(server.port), server.publicKey, facts.clientAddress,
            facts.dns.joined(separator: ","), String(facts.mtu), String(facts.keepalive), specification.checkName,
        ]
        return String(Digest.sha256(parts.joined(separator: "\n")).prefix(16))
    }
}
