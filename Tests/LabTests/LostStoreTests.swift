import DockerEngine
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Lab

extension OnTheLab {
    /// Redis loses what it holds while no controller runs.
    @Suite(.serialized) struct LostStoreTests {
        private static let loss: [(what: String, commands: [[String]])] = [
            ("one exit and one user", [["HDEL", "sallyport:exits", "us-1"], ["HDEL", "sallyport:users", "alice"]]),
            ("three tables", [["DEL", "sallyport:exits", "sallyport:pools", "sallyport:users"]]),
            // All that can be thrown away is, and then there is room again.
            (
                "what one that evicts throws away",
                [
                    ["CONFIG", "SET", "maxmemory-policy", "allkeys-random"], ["CONFIG", "SET", "maxmemory", "1"], ["SET", "more", "x"],
                    ["CONFIG", "SET", "maxmemory", "0"], ["CONFIG", "SET", "maxmemory-policy", "noeviction"],
                ]
            ),
        ]

        private func containers(_ controller: ControllerProcess) async throws -> [String] {
            try await controller.lab.engine.listContainers(labels: ["io.sallyport.owner=\(controller.owner)"]).map(\.id).sorted()
        }

        private func copies(_ controller: ControllerProcess) throws -> [String] {
            try Files.list(controller.data).filter { $0.hasPrefix("copy-") }.map { "\(controller.data)/\($0)" }
        }

        /// Waits until the copy in the data folder is that of the store as it is.
        private func isCopied(_ controller: ControllerProcess, _ redis: SharedRedis) async throws {
            try await eventually("it is copied", within: 20) {
                let text = try copies(controller).first.map { try Files.read($0, limit: 16 << 20) } ?? ""
                // A term's first copy, too.
                guard text.contains(#""fence":\#(try await redis.command("GET", "sallyport:fence"))"#) else { return false }
                for table in ["users", "pools", "exits"] {
                    let root = try await redis.command("HGET", "sallyport:\(table):signed", "root")
                    guard !root.isEmpty, text.contains(root) else { return false }
                }
                return true
            }
        }

        @Test(.timeLimit(.minutes(2)))
        func `a Redis that was emptied or evicts while no controller runs costs no exit and no user`() async throws {
            let redis = try await SharedRedis()
            try await ControllerProcess.with({ try ControllerProcess($0, redis: redis.socket) }) { controller in
                let exit = try await controller.open("us")
                let before = try await containers(controller)
                for (what, commands) in Self.loss {
                    try await isCopied(controller, redis)
                    try await controller.crash()
                    for words in commands { _ = try await Programs.run("redis-cli", ["-s", redis.socket] + words) }
                    try await controller.start()
                    try await eventually("it serves after the loss of \(what)", within: 30) {
                        try await controller.call("GET", "/health/ready").status == 200
                    }
                    try await eventually("the exit is known", within: 20) {
                        try await controller.exits().first.map { $0.state == "serving" && $0.generation == exit.generation } ?? false
                    }
                    #expect(try await containers(controller) == before, "\(what)")
                    #expect(try await controller.proxied("us").status == 200, "\(what)")
                    #expect(try await controller.call("GET", "/api/users").text.contains("alice"), "\(what)")
                }
                // Where nobody has them, nothing is removed, and it is told.
                try await controller.crash()
                for path in try copies(controller) { Files.remove(path) }
                try await redis.command("HDEL", "sallyport:exits", "us-1")
                try await controller.start()
                try await eventually("it holds and says why", within: 30) {
                    let (ready, alerts) = try await (
                        controller.call("GET", "/health/ready").text, controller.call("GET", "/api/alerts").text
                    )
                    return ready.contains("sallyport:exits is gone") && ready.contains("nothing is planned or removed")
                        && alerts.contains("us-1 is gone, and nobody has removed it")
                }
                #expect(try await containers(controller) == before)
                #expect(try await controller.proxied("us").status == 200)
            }
            try await redis.stop()
        }
    }
}
