import DockerEngine
import Glibc
import Platform
import Synchronization
import TestSupport

/// A way to the engine that can be cut: a process that passes on what comes over a Unix socket of its own.
final class EngineRelay: Sendable {
    private let folder: TemporaryFolder
    private let pid = Mutex<pid_t?>(nil)
    private var socket: String { "\(folder.path)/docker.sock" }
    var address: String { "unix://\(socket)" }

    init() throws { folder = try TemporaryFolder() }

    private static let program = """
        import asyncio, os, sys
        async def pump(reader, writer):
            try:
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
                writer.write_eof()
            except OSError:
                writer.close()
        async def serve(reader, writer):
            up, down = await asyncio.open_unix_connection(sys.argv[2])
            await asyncio.gather(pump(reader, down), pump(up, writer))
            writer.close()
        async def main():
            if os.path.exists(sys.argv[1]): os.unlink(sys.argv[1])
            server = await asyncio.start_unix_server(serve, sys.argv[1])
            print("ready", flush=True)
            await server.serve_forever()
        asyncio.run(main())
        """

    func start() async throws {
        let real = EngineClient.socketPath(engineAddress ?? "") ?? ""
        Files.remove("\(folder.path)/log")
        let started = try Programs.startDetached("python3", ["-c", Self.program, socket, real], log: "\(folder.path)/log")
        pid.withLock { $0 = started }
        try await eventually("the relay listens") { [self] in (try? Files.read("\(folder.path)/log"))?.contains("ready") ?? false }
    }

    /// Cuts every connection at once; new ones are refused.
    func stop() {
        pid.withLock { pid in
            guard let running = pid else { return }
            kill(running, SIGKILL)
            var status: Int32 = 0
            waitpid(running, &status, 0)
            pid = nil
        }
    }

    /// Stops the relay where it is: connections stand, and nobody answers.
    func freeze() { pid.withLock { if let pid = $0 { kill(pid, SIGSTOP) } } }
    func thaw() { pid.withLock { if let pid = $0 { kill(pid, SIGCONT) } } }
}
