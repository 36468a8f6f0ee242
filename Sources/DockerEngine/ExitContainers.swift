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
        /// What exits ask for; nothing is launched without them.
        package var credentials: ExitCredentials?
        package var refused: RefusedTargets

        package init(
            owner: String, image: String, imageArchive: String?, network: String, subnet: String?, gatewayNetwork: String? = nil,
            credentials: ExitCredentials? = nil, refused: RefusedTargets = RefusedTargets()
        ) {
            self.credentials = credentials
            self.refused = refused
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
    let settings: Settings
    let log: Log
    /// The fencing number under which we may act, asked right before each change of a container; it throws where we may not.
    let warrant: @Sendable () throws -> Int
    /// The network of new exits, once it is known to exist.
    let prepared = Mutex<ExitNetwork?>(nil)
    /// Held while it is looked for or made: an engine makes two of one name for two who ask at once.
    let preparing = AsyncMutex()

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
            let endpoint = address(in: summary.networkSettings).map { Endpoint(address: $0, port: Self.proxyPort) }
            return ExitContainer(
                name: summary.name, exit: labels[ExitLabel.exit].flatMap(ExitID.init),
                generation: Int(labels[ExitLabel.generation] ?? "") ?? 0,
                isRunning: summary.state == "running", endpoint: endpoint, server: labels[ExitLabel.server], exitCode: summary.exitCode,
                fence: Int(labels[ExitLabel.fence] ?? "") ?? 0, knowsCredential: labels[ExitLabel.credential] == "1",
                hasIPv6: labels[ExitLabel.ipv6] == "1")
        }
    }

    private func address(in attachments: NetworkAttachments?) -> String? {
        networks.compactMap { attachments?.networks?[$0]?.address }.first { !$0.isEmpty }
    }

    /// Rings for each change of one of our containers, until the engine goes away.
    package func changes() async throws -> AsyncThrowingStream<Void, any Error> {
        let events = try await engine.containerEvents(label: ownerFilter)
        return .filled(.bufferingNewest(1)) { continuation in
            for try await event in events where ["die", "destroy", "start", "oom"].contains(event.action ?? "") { continuation.yield() }
        }
    }

    /// The last lines that an exit's container wrote.
    package func logs(of container: String, lines: Int) async throws -> String { try await engine.logs(of: container, lines: lines) }

    // MARK: - Making and removing

    /// Creates and starts the container of a specification: its name, and where its proxy will listen.
    package func launch(_ specification: ExitSpecification) async throws -> (container: String, endpoint: Endpoint) {
        guard let credentials = settings.credentials else {
            throw EngineError(code: .refused, action: "launching exit \(specification.id)", message: "there are no credentials for it")
        }
        try await prepareImage()
        let network = try await network()
        var specification = specification
        // IPv6 may be nowhere but in the tunnel.
        if network.hasIPv6 || !ExitTemplate.kernelHasIPv6 { specification.facts.clientAddress6 = nil }
        do {
            return try await launch(specification, on: network, credentials)
        } catch {
            // The network may have been removed under us: look again at the next launch.
            prepared.withLock { $0 = nil }
            throw error
        }
    }

    private func launch(_ specification: ExitSpecification, on network: ExitNetwork, _ credentials: ExitCredentials) async throws
        -> (container: String, endpoint: Endpoint)
    {
        let name = ExitTemplate.name(owner: settings.owner, exit: specification.id, generation: specification.generation)
        try await create(name, specification, on: network)
        let file = ExitConfiguration(
            specification: specification, gateway: settings.gatewayNetwork ?? "\(network.gateway)/32", credentials: credentials,
            refused: settings.refused)
        _ = try warrant()
        try await engine.upload(ExitFile.archive(Array(file.text.utf8)), to: ExitFile.folder, of: name)
        _ = try warrant()
        try await start(name)
        return (name, try await endpoint(of: name))
    }

    private func create(_ name: String, _ specification: ExitSpecification, on network: ExitNetwork) async throws {
        func create() async throws {
            try await engine.createContainer(name: name, container(specification, on: network, fence: try warrant()))
        }
        do { try await create() } catch let error as EngineError where error.code == .conflict {
            // Left behind by a controller that died before it could start it.
            _ = try warrant()
            try await engine.removeContainer(name)
            try await create()
        }
    }

    private func endpoint(of name: String) async throws -> Endpoint {
        let details = try await engine.inspectContainer(name)
        guard let address = address(in: details.networkSettings) else {
            throw EngineError(
                code: .refused, action: "starting container \(name)", message: "it ended with status \(details.state.exitCode)")
        }
        return Endpoint(address: address, port: Self.proxyPort)
    }

    /// A container whose address something else has is removed at once, so that it can be made anew with another one.
    private func start(_ name: String) async throws {
        do { try await engine.startContainer(name) } catch let error as EngineError where Self.isInUse(error) {
            _ = try warrant()
            try await engine.removeContainer(name)
            throw EngineError(code: .addressInUse, action: error.action, message: error.message)
        }
    }

    /// The engine has no status of its own for it.
    private static func isInUse(_ error: EngineError) -> Bool {
        error.code == .refused && error.message.lowercased().contains("address already in use")
    }

    /// Removes a container and its volume; one that is gone is no error.
    package func remove(_ container: String) async throws {
        _ = try warrant()
        try await engine.removeContainer(container)
    }

    /// Removes every container of ours and the networks.
    package func removeAll() async throws {
        for container in try await list() { try await remove(container.name) }
        for name in networks {
            guard let network = try await engine.network(name), network.labels?[ExitLabel.owner] == settings.owner else { continue }
            try await engine.removeNetwork(name)
        }
        prepared.withLock { $0 = nil }
    }

    /// True where the engine has the exits' image already.
    package func hasImage() async throws -> Bool { try await engine.imageID(settings.image) != nil }

    /// Makes sure that the engine has the exit's image: imported from its archive, else pulled.
    package func prepareImage() async throws {
        guard try await engine.imageID(settings.image) == nil else { return }
        if let path = settings.imageArchive, let archive = try? Data(contentsOf: URL(filePath: path)) {
            log.info("importing the exit image", ["image": settings.image, "archive": path])
            try await engine.importImage(settings.image, archive: [UInt8](archive), changes: ExitImage.changes)
            return
        }
        try await pullImage()
    }

    private func pullImage() async throws {
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

    // MARK: - The container

    private func container(_ specification: ExitSpecification, on network: ExitNetwork, fence: Int) -> ContainerCreate {
        ExitTemplate(
            owner: settings.owner, image: settings.image, network: network.name, exit: specification.id,
            generation: specification.generation, server: specification.server.address, fingerprint: fingerprint(specification),
            fence: fence, address: specification.address, tunnelHasIPv6: specification.facts.clientAddress6 != nil
        ).container
    }

    /// A hash of all that the container is made of, without the key.
    private func fingerprint(_ specification: ExitSpecification) -> String {
        let server = specification.server
        let facts = specification.facts
        var parts: [String] = [
            settings.image, server.hostname, server.address, String(server.port), server.publicKey, facts.clientAddress,
            facts.dns.joined(separator: ","), String(facts.mtu), String(facts.keepalive), specification.checkName,
        ]
        if let six = facts.clientAddress6 { parts.append(six) }
        return String(Digest.sha256(parts.joined(separator: "\n")).prefix(16))
    }
}
