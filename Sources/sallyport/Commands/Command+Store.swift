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
            Option(name: "config", value: "FILE", help: "the configuration of the controller"),
            Option(name: "all", value: nil, help: "for adopt: every row, and the store as it is now"),
            Option(name: "finish", value: nil, help: "for rotate: forget the older keys"),
        ],
        examples: [
            "sallyport store check --config sallyport.yaml", "sallyport store adopt users/alice pools/US --config sallyport.yaml",
            "sallyport store drop api:keys/k3f9ab27c --config sallyport.yaml", "sallyport store rotate --config sallyport.yaml",
        ]
    ) { arguments in
        let action = arguments.words[0]
        let rows = Set(arguments.words.dropFirst())
        let configuration = try Configuration.load(file: arguments["config"], environment: try environment())
        switch action {
        case "check":
            _ = try arguments.expect("check")
            return try await StoreCare(configuration).check()
        case "adopt":
            guard rows.isEmpty == arguments.has("all") else { throw UsageError(message: "adopt needs rows, or --all") }
            return try await StoreCare(configuration).alone { try await $0.adopt(arguments.has("all") ? nil : rows) }
        case "drop":
            guard !rows.isEmpty else { throw UsageError(message: "drop needs rows") }
            return try await StoreCare(configuration).alone { try await $0.drop(rows) }
        default:
            _ = try arguments.expect("rotate")
            return try await StoreCare(configuration).alone { try await arguments.has("finish") ? $0.forgetOlderKeys() : $0.rotate() }
        }
    }
}

/// What an operator does to the store's signature on the machine itself.
struct StoreCare: Sendable {
    private let configuration: Configuration

    init(_ configuration: Configuration) { self.configuration = configuration }

    /// For what no controller may see half done.
    func alone(_ body: (StoreCare) async throws -> Int32) async throws -> Int32 {
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
        let connection = RedisConnection(address: configuration.redisAddress)
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

    func check() async throws -> Int32 {
        let findings = try await with { try await $0.survey() }
        for finding in findings { print(finding) }
        if findings.isEmpty { print("every row is valid, as the last change has left it") }
        return findings.isEmpty ? Command.Status.success : Command.Status.failure
    }

    func adopt(_ rows: Set<String>?) async throws -> Int32 {
        let adopted = try await with { try await $0.adopt(only: rows) }
        for row in adopted { print("\(row) is valid now") }
        print("the store is signed as it is; start the controllers")
        return Command.Status.success
    }

    func drop(_ rows: Set<String>) async throws -> Int32 {
        let dropped = try await with { try await $0.drop(rows) }
        for row in dropped { print("\(row) is removed") }
        for row in rows.subtracting(dropped).sorted() { print("\(row) does not exist, or is valid, and stays") }
        return dropped.count == rows.count ? Command.Status.success : Command.Status.failure
    }

    func rotate() async throws -> Int32 {
        // Before the new key is anywhere: a store that is not ours is not made ours by a rotation.
        try await with { try await $0.prepare(fence: nil) }
        try RootKey.rotate(configuration.rootKeyFile)
        try await with { try await $0.prepare(fence: nil) }
        print(
            "the store is signed and encrypted with a new key, the first line of \(configuration.rootKeyFile); copy that file to every"
                + " controller of this store, start them, and run `sallyport store rotate --finish` later")
        return Command.Status.success
    }

    func forgetOlderKeys() async throws -> Int32 {
        try await with { try await $0.prepare(fence: nil) }
        try RootKey.dropOlder(configuration.rootKeyFile)
        print("\(configuration.rootKeyFile) has only the newest key now; copy it to every controller of this store")
        return Command.Status.success
    }
}
