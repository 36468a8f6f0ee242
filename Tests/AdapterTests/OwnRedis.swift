import RedisStore
import TestSupport

/// A Redis of the operator's own, on a Unix socket, that can be away for a while.
struct OwnRedis {
    private let folder: TemporaryFolder
    private let server: PrivateRedis
    var socket: String { server.socket }

    init() async throws {
        folder = try TemporaryFolder()
        server = PrivateRedis(folder: "\(folder.path)/redis")
        try await start()
    }

    func start() async throws { _ = try await server.start() }
    func stop() async throws { try await server.stop() }
}
