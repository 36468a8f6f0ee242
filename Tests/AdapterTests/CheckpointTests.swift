import FoundationEssentials
import HTTPTransport
import Model
import Platform
@testable import RedisStore
import Synchronization
import TestSupport
import Testing

/// What Redis loses while no controller runs, and `data_dir` has.
@Suite(.serialized, .timeLimit(.minutes(3))) struct CheckpointTests {
    private func store(_ connection: RedisConnection, _ marks: HighMarks, copy: String? = nil) -> Store {
        let key = RootKey(text: Secret(String(repeating: "5a", count: 32)))
        let tables = SignedTables(connection: connection, prefix: "test", rootKey: key, marks: marks)
        tables.begin(isOwn: true)
        if let copy { tables.recall(copy, fence: 7) }
        return Store(connection: connection, prefix: "test", tables: tables)
    }

    private func user(_ name: String) -> ProxyUser {
        ProxyUser(name: name, salt: "0a", digest: "1b", createdAt: Timestamp(milliseconds: 0))
    }

    private func copy(_ store: Store, to path: String, until word: String, fence: Int = 7) async throws {
        for table in SignedTable.allCases { _ = try await store.tables.read(table) }
        let copying = Task { await store.tables.keepCheckpoint(path) { fence } }
        defer { copying.cancel() }
        try await eventually("it is copied", within: 10) { (try? Files.read(path))?.contains(word) ?? false }
    }

    @Test func `an older copy, another leader's and one that was altered give nothing back`() async throws {
        try await withRedis { _, folder, connection in
            let (marks, path) = (HighMarks(path: nil), "\(folder)/copy")
            let first = store(connection, marks)
            try await first.tables.prepare(fence: nil)
            try await first.save(user("alice"))
            try await copy(first, to: path, until: "alice")
            let old = try Files.read(path)
            try await first.save(user("bob"))
            try await copy(first, to: path, until: "bob")
            let new = try Files.read(path)
            try await copy(first, to: "\(path).late", until: "bob", fence: 8)
            try await connection.command(["FLUSHALL"])
            try await connection.command(["SET", "test:fence", "7"])
            for text in [old, try Files.read("\(path).late"), new.replacing("1b", with: "1c"), "{", ""] {
                try Files.write(text, to: path, mode: 0o600)
                let next = store(connection, marks, copy: path)
                await #expect(throws: RedisError.self) { try await next.tables.checkTrustOrRecall() }
                #expect(try await connection.command(["EXISTS", "test:users", "test:trust"]).integer == 0)
            }
            try Files.write(new, to: path, mode: 0o600)
            let next = store(connection, marks, copy: path)
            try await next.tables.checkTrustOrRecall()
            await next.tables.recover { 7 }
            #expect(try await next.load().users.map(\.name) == ["alice", "bob"])
        }
    }

    @Test func `a leader of another term copies what has not changed since too`() async throws {
        try await withRedis { _, folder, connection in
            let (marks, path) = (HighMarks(path: nil), "\(folder)/copy")
            let first = store(connection, marks)
            try await first.tables.prepare(fence: nil)
            try await first.save(user("alice"))
            for table in SignedTable.allCases { _ = try await first.tables.read(table) }
            let fence = Mutex(7)
            let copying = Task { await first.tables.keepCheckpoint(path) { fence.withLock { $0 } } }
            defer { copying.cancel() }
            for number in [7, 8] {
                fence.withLock { $0 = number }
                try await eventually("it is copied under \(number)", within: 20) {
                    (try? Files.read(path))?.contains(#""fence":\#(number)"#) ?? false
                }
            }
        }
    }

    @Test(
        .enabled(if: RunningProgram.isBuilt, "there is no .build/debug/sallyport"),
        arguments: [["FLUSHALL"], ["DEL", "users", "pools"], ["DEL", "trust"], ["DEL", "users", "users:signed", "pools", "trust"]])
    func `what Redis has lost while no controller ran is given back at the start, and told`(loss: [String]) async throws {
        let redis = try await OwnRedis()
        let connection = RedisConnection(address: .unix(path: redis.socket))
        try await connection.command(["HSET", "sallyport:pools", "US", #"{"country":"US","size":1,"strategy":"load"}"#])
        let program = try RunningProgram(redis: redis.socket)
        try await RunningProgram.with([program]) {
            try await eventually("it leads", within: 30) {
                try await program.call("POST", "/api/users", #"{"name":"alice"}"#).status == 201
            }
            let data = "\(program.folder.path)/d"
            // A copy that is older than the last change is left aside, and a newer one may take the place of one that is looked at.
            try await eventually("it is copied as it is, for its owner alone", within: 60) { () -> Bool in
                guard let name = try Files.list(data).first(where: { $0.hasPrefix("copy-") }),
                    let text = try? Files.read("\(data)/\(name)"),
                    let copy = try? JSONDecoder().decode(Checkpoint.self, from: Data(text.utf8)),
                    copy.tables["users"]?.rows["alice"] != nil
                else { return false }
                for table in SignedTable.allCases where table.mayNotGoBack {
                    let root = try await connection.command(["HGET", "sallyport:\(table.rawValue):signed", "root"]).text
                    guard root == nil || root == copy.tables[table.rawValue]?.signature["root"] else { return false }
                }
                return try await Programs.run("stat", ["-c", "%a", "\(data)/\(name)"]).output.hasPrefix("600")
            }
            try await program.crash()
            try await connection.command(loss.prefix(1) + loss.dropFirst().map { "sallyport:\($0)" })
            try await program.start()
            try await eventually("it has all of it", within: 60) {
                let (users, pools) = try await (program.call("GET", "/api/users").text, program.call("GET", "/api/pools").text)
                return users.contains("alice") && pools.contains("US")
            }
            #expect(try await connection.command(["EXISTS", "sallyport:users", "sallyport:trust"]).integer == 2)
            try await eventually("it is told", within: 20) {
                try await program.call("GET", "/audit/logs?kind=system").text.contains("back")
            }
        }
        await connection.close()
        try await redis.stop()
    }
}
