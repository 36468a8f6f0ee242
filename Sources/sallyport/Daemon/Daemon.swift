import Glibc
import Model
import Platform

/// A start that can't go on, with the remedy.
struct StartError: Error, CustomStringConvertible {
    var message: String
    var description: String { message }
}

/// The controller's process.
enum Daemon {
    /// Runs the controller until SIGINT or SIGTERM.
    /// - Parameters:
    ///   - country: where a first exit is opened; nil for none.
    ///   - read: reads the configuration again.
    /// - Returns: the process's status.
    static func run(
        _ configuration: Configuration, open country: CountryCode?, read: @escaping @Sendable () throws -> Configuration
    ) async throws -> Int32 {
        let tail = LogTail()
        let log = Log(format: configuration.logFormat, minimum: configuration.logLevel, tail: tail)
        defer { log.flush() }
        try FolderFacts.read("data_dir", configuration.dataFolder).judgement.refuseFault()
        try Files.makePrivateFolder(configuration.dataFolder)
        guard let lock = try FolderLock("\(configuration.dataFolder)/lock") else {
            throw StartError(message: "another controller runs on \(configuration.dataFolder)")
        }
        defer { withExtendedLifetime(lock) {} }
        try Files.write("\(getpid())\n", to: "\(configuration.dataFolder)/pid", mode: 0o600)
        try EngineAddress.settle(configuration.docker, in: configuration.engineFile)
        let (ends, reloads) = (Signals.stream([SIGINT, SIGTERM]), Signals.stream([SIGHUP]))
        log.info("starts", ["configuration": configuration.origins.fileName ?? "variables alone"])
        let parts = try Parts(configuration, log: log)
        let api = try APIParts(parts, tail: tail, read: read)
        let services = ControllerServices(parts: parts, api: api, reloads: reloads, manager: ServiceManager(), firstCountry: country)
            .inOrder
        do {
            try await ServiceGroup(services, log: log).run {
                for await _ in ends { return log.info("the controller stops; exits, gateway and store keep running") }
            }
        } catch let error as ServiceError where error.isAtStart {
            // It names the setting to change, or what to do.
            throw error.cause ?? error
        }
        return Command.Status.success
    }
}
