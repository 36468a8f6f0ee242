import Control
import Model
import Platform
import RedisStore

/// What a controller keeps in Redis, and whether it is the one that leads.
struct StoreParts: Sendable {
    let rootKey: RootKey
    /// What must not be set back in the store.
    let marks: HighMarks
    /// Nil where Redis is shared.
    let privateRedis: PrivateRedis?
    let connection: RedisConnection
    /// The lease has a connection of its own: its answers come late nowhere else.
    let leaseConnection: RedisConnection
    /// The API's and the webhooks': what they read does not hold up the controller.
    let apiConnection: RedisConnection
    let tables: SignedTables
    let leadership: Leadership
    let store: Store
    let usage: UsageRecord
    let events: RedisEvents
    /// What the controller sees of it.
    let state: RedisState
    private let fence: FenceMark
    private let log: Log

    init(_ configuration: Configuration, alertReporter: AlertReporter, log: Log) throws {
        self.log = log
        // A data folder that has a name but no marks is the version before's.
        let isOwn =
            !Files.exists(configuration.rootKeyFile) || InstanceName.exists(configuration.dataFolder) && !configuration.hasMarks
        let prefix = configuration.redisPrefix
        rootKey = try RootKey.load(configuration.rootKeyFile)
        marks = HighMarks(path: configuration.marksFile, log: log)
        privateRedis = configuration.redis == nil ? PrivateRedis(folder: "\(configuration.dataFolder)/redis") : nil
        connection = RedisConnection(address: configuration.redisAddress, prefix: prefix)
        leaseConnection = RedisConnection(address: configuration.redisAddress, prefix: prefix, deadline: 1)
        apiConnection = RedisConnection(address: configuration.redisAddress, prefix: prefix)
        tables = SignedTables(
            connection: connection, prefix: prefix, rootKey: rootKey, marks: marks, alertReporter: alertReporter, log: log)
        tables.begin(isOwn: isOwn)
        fence = FenceMark(
            folder: configuration.gateway.directory, sharing: try FileSharing(group: configuration.gateway.group))
        let leadership = Leadership(
            .init(instance: try InstanceName.read(configuration.dataFolder), isShared: configuration.redisIsShared),
            store: RedisLease(record: LeaseRecord(connection: leaseConnection, prefix: prefix), mark: fence, tables: tables))
        leadership.observed(fence: fence.number)
        tables.recall(configuration.checkpointFile, fence: fence.number)
        self.leadership = leadership
        store = Store(connection: connection, prefix: prefix, fence: { leadership.fence }, tables: tables)
        usage = UsageRecord(connection: connection, prefix: prefix, fence: { leadership.fence })
        // They come again with each try, so old ones may go.
        let (unstored, unstoredEvents) = AsyncStream.makeStream(of: [Event].self, bufferingPolicy: .bufferingNewest(16))
        events = RedisEvents(store: store, tail: EventTail(address: configuration.redisAddress, prefix: prefix), unstored: unstored)
        state = RedisState(store: store, usage: usage, leadership: leadership, unstored: unstoredEvents, log: log)
    }

    /// The number of the lease, for what changes containers or the gateway.
    /// - Throws: where this controller does not lead.
    func warrant() throws -> Int { try fence.warrant(of: leadership) }

    /// The number of the lease; nil where this controller does not lead.
    var fenceWhileLeading: Int? { leadership.isLeader ? leadership.fence : nil }

    /// Carries commands to the controller that leads; nil where no other one can be.
    func commands(_ configuration: Configuration, alertReporter: AlertReporter) -> (any CommandRelay)? {
        guard configuration.redisIsShared else { return nil }
        return RedisCommandRelay(
            queue: CommandQueue(connection: connection, prefix: configuration.redisPrefix), rootKey: rootKey, leadership: leadership,
            alertReporter: alertReporter, log: log)
    }

    func close() async {
        for connection in [apiConnection, connection, leaseConnection] { await connection.close() }
        await events.tail.close()
    }
}
