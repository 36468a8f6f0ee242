import Control
import Model
import Platform
import RedisStore

/// Starts the private Redis, and starts it again whenever it has died.
struct RedisSupervisor: Sendable {
    let redis: PrivateRedis
    let controller: Controller
    let log: Log

    func start() async throws {
        let isStarted = try await startAndReport()
        log.info(isStarted ? "started the private Redis" : "found the private Redis running")
    }

    /// Runs until it is cancelled.
    func run() async {
        var (pause, told) = (1.0, "")
        while !Task.isCancelled {
            do {
                if try await startAndReport() { log.warning("the private Redis had ended; started it again") }
                (pause, told) = (1, "")
            } catch  where !Task.isCancelled {
                // What needs a human is said once, and tried more seldom.
                if told != "\(error)" { log.error("the private Redis can't be started", ["error": "\(error)"]) }
                (pause, told) = (min(30, pause * 2), "\(error)")
            } catch {}
            try? await Task.sleep(for: .seconds(pause))
        }
    }

    /// Starts it unless it runs, and tells what of its file had to be mended.
    private func startAndReport() async throws -> Bool {
        var mended: [String] = []
        let result: Result<Bool, any Error>
        do { result = .success(try await redis.start { mended.append($0) }) } catch { result = .failure(error) }
        for words in mended { await controller.record(.storeMended, .critical, words) }
        return try result.get()
    }
}
