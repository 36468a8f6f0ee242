import Glibc
package import Platform
import Synchronization

/// Where things are on the machine that runs the tests.
package enum Repository {
    /// The repository's own folder.
    package static let root = {
        // .../Sources/TestSupport/Repository.swift
        let parts = #filePath.split(separator: "/").dropLast(3)
        return "/" + parts.joined(separator: "/")
    }()

    /// A program that the build made: `.build/debug/sallyport`.
    package static func built(_ program: String) -> String { "\(root)/.build/debug/\(program)" }

    /// Recorded server lists beside the repository; nil where there are none.
    package static let sharedData = Files.exists("\(root)/../shared/data") ? "\(root)/../shared/data" : nil

    /// The Docker Engine that tests may use: `containers/engine run swift test` sets it.
    package static let engine = ProcessEnvironment.values()["DOCKER_HOST"]
}

extension Ports {
    /// A TCP port on the loopback address that nobody uses now, and that no other caller in this process is ever given: two
    /// HAProxies would share it without a word, each answering some of the other's requests.
    package static func free() throws -> Int {
        for _ in 0..<1000 {
            // Below the ports that the system gives to outgoing connections, or one of them would take it meanwhile; above those
            // of the countries.
            let port = Int.random(in: 21_000..<32_000)
            guard given.withLock({ $0.insert(port).inserted }), let held = try? listen("127.0.0.1", port) else { continue }
            close(held.descriptor)
            return port
        }
        throw TimeoutError(what: "a free port")
    }

    private static let given = Mutex<Set<Int>>([])
}
