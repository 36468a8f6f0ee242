import DockerEngine
import HAProxyControl
import HTTPTransport
import Model
import Platform
import RedisStore

/// Takes away all that a controller leaves behind on purpose.
enum Teardown {
    /// One of the things that were to be removed, and why it could not be.
    struct Step: Sendable {
        var what: String
        var trouble: String?
    }

    /// - Returns: what was done; each step is tried, whatever became of the others.
    static func run(_ configuration: Configuration) async throws -> [Step] {
        let log = Log(format: configuration.logFormat, minimum: configuration.logLevel)
        try Files.makePrivateFolder(configuration.dataFolder)
        guard let lock = try FolderLock("\(configuration.dataFolder)/lock") else {
            throw StartError(message: "a controller runs on \(configuration.dataFolder); stop it first")
        }
        try await refuseWhileAnotherLeads(configuration)
        let client = HTTPClient()
        defer { client.close() }
        var steps: [Step] = []
        func step(_ what: String, _ body: () async throws -> Void) async {
            do {
                try await body()
                log.info("removed \(what)")
                steps.append(Step(what: what))
            } catch {
                log.error("can't remove \(what)", ["error": "\(error)"])
                steps.append(Step(what: what, trouble: "\(error)"))
            }
        }
        await step("the gateway") {
            try await HAProxyGateway(
                share: "\(configuration.shareFolder)/haproxy", settings: configuration.haproxySettings, log: log
            ).stop()
        }
        await step("the exits and their network") { try await configuration.exitContainers(client: client, log: log).removeAll() }
        if configuration.redis == nil {
            await step("the private Redis") { try await PrivateRedis(folder: "\(configuration.dataFolder)/redis").stop() }
        }
        withExtendedLifetime(lock) {}
        return steps
    }

    static func document(_ steps: [Step]) -> Document {
        let failed = steps.compactMap { step in step.trouble.map { (step.what, Document.string($0)) } }
        return .object([
            "removed": .array(steps.filter { $0.trouble == nil }.map { .string($0.what) }), "failed": .object(Dictionary(failed) { $1 }),
        ])
    }

    /// Exits and gateway may be another controller's too.
    static func refuseWhileAnotherLeads(_ configuration: Configuration) async throws {
        let connection = RedisConnection(address: configuration.redisAddress)
        let holder = try? await LeaseRecord(connection: connection, prefix: configuration.redisPrefix).holder()
        await connection.close()
        if let holder, try holder != InstanceName.read(configuration.dataFolder) {
            throw StartError(message: "controller \(holder) leads on this store and needs the exits and the gateway; stop it first")
        }
    }
}
