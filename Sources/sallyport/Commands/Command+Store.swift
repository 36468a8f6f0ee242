import Model
import Platform
import RedisStore

/// Commands for the store's signature. They work on Redis and `data_dir` by themselves, so that an attacker with an API key has none.
extension Command {
    static let store = Command(
        name: "store",
        actions: [Action("check"), Action("adopt", "<row>...|--all"), Action("drop", "<row>..."), Action("rotate", "[--finish]")],
        summary: "Check the rows in Redis for their codes, accept or drop rows, or change the root key",
        options: [
            configurationOption,
            Option(name: "all", help: "for adopt: every row, and the store as it is now"),
            Option(name: "finish", help: "for rotate: forget the older keys"), jsonOption,
        ],
        examples: [
            "sallyport store check --config sallyport.yaml", "sallyport store adopt users/alice pools/US --config sallyport.yaml",
            "sallyport store drop api:keys/k3f9ab27c --config sallyport.yaml", "sallyport store rotate --config sallyport.yaml",
        ]
    ) { arguments in
        let action = arguments.words[0]
        let rows = Set(arguments.words.dropFirst())
        let care = StoreCare(try configuration(arguments))
        switch action {
        case "check":
            _ = try arguments.expect("check")
            return show(try await care.check(), arguments)
        case "adopt":
            guard rows.isEmpty == arguments.has("all") else { throw UsageError(message: "adopt needs rows, or --all") }
            return show(try await care.alone { try await $0.adopt(arguments.has("all") ? nil : rows) }, arguments)
        case "drop":
            guard !rows.isEmpty else { throw UsageError(message: "drop needs rows") }
            return show(try await care.alone { try await $0.drop(rows) }, arguments)
        default:
            _ = try arguments.expect("rotate")
            return show(try await care.alone { try await arguments.has("finish") ? $0.forgetOlderKeys() : $0.rotate() }, arguments)
        }
    }

    private static func show(_ result: StoreCare.Result, _ arguments: Arguments) -> Int32 {
        let lines = Document.array(result.lines.map(Document.string))
        print(
            arguments.has("json")
                ? Document.object(["ok": .bool(result.isGood), "lines": lines]).json : result.lines.joined(separator: "\n"))
        return result.isGood ? Status.success : Status.failure
    }
}

/// What an operator does to the store's signature on the machine itself.
struct StoreCare: Sendable {
    private let configuration: Configuration

    /// What it says, and whether all was as it should be, or could be done.
    struct Result: Sendable {
        var lines: [String]
        var isGood = true
    }

    init(_ configuration: Configuration) { self.configuration = configuration }

    /// For what no controller may see half done.
    func alone(_ body: (StoreCare) async throws -> Result) async throws -> Result {
        try Files.makePrivateFolder(configuration.dataFolder)
        guard let lock = try FolderLock("\(configuration.dataFolder)/lock") else {
            throw StartError(message: "a controller runs on \(configuration.dataFolder); stop it first")
        }
        try await Teardown.refuseWhileAnotherLeads(configuration)
        defer { withExtendedLifetime(lock) {} }
        return try await body(self)
    }

    private func with<Value>(_ body: (SignedTables) async throws -> Value) async throws -> Value {
        if configuration.redis == nil { _ = try await PrivateRedis(folder: "\(configuration.dataFolder)/redis").start() }
        let connection = RedisConnection(address: configuration.redisAddress, prefix: configuration.redisPrefix)
        let tables = SignedTables(
            connection: connection, prefix: configuration.redisPrefix, rootKey: try RootKey.load(configuration.rootKeyFile),
            marks: HighMarks(path: configuration.marksFile))
        do {
            let value = try await body(tables)
            await connection.close()
            return value
        } catch {
            await connection.close()
            throw error
        }
    }

    func check() async throws -> Result {
        let findings = try await with { try await $0.survey() }
        return findings.isEmpty
            ? Result(lines: ["every row is valid, as the last change has left it"]) : Result(lines: findings, isGood: false)
    }

    func adopt(_ rows: Set<String>?) async throws -> Result {
        let adopted = try await with { try await $0.adopt(only: rows) }
        return Result(lines: adopted.map { "\($0) is valid now" } + ["the store is signed as it is; start the controllers"])
    }

    func drop(_ rows: Set<String>) async throws -> Result {
        let dropped = try await with { try await $0.drop(rows) }
        let others = rows.subtracting(dropped).sorted().map { "\($0) does not exist, or is valid, and stays" }
        return Result(lines: dropped.map { "\($0) is removed" } + others, isGood: dropped.count == rows.count)
    }

    func rotate() async throws -> Result {
        // Before the new key is anywhere: a store that is not ours is not made ours by a rotation.
        try await with { try await $0.prepare(fence: nil) }
        try RootKey.rotate(configuration.rootKeyFile)
        try await with { try await $0.prepare(fence: nil) }
        return Result(lines: [
            "the store is signed and encrypted with a new key, the first line of \(configuration.rootKeyFile); copy that file to every"
                + " controller of this store, start them, and run `sallyport store rotate --finish` later"
        ])
    }

    func forgetOlderKeys() async throws -> Result {
        try await with { try await $0.prepare(fence: nil) }
        try RootKey.dropOlder(configuration.rootKeyFile)
        return Result(lines: ["\(configuration.rootKeyFile) has only the newest key now; copy it to every controller of this store"])
    }
}
