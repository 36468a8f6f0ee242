import HTTPServing
import Model
package import Platform
import Synchronization

/// The HTTP API: one table of routes, from which requests are routed, allowed and answered.
package final class API: Sendable {
    let operations: any Operations
    let proxy: ProxyAddress
    let log: Log
    let keys: KeyRing
    let limiter = RateLimiter()
    package let audit: AuditLog
    let parts: Parts
    let metrics = APIMetrics()
    let idempotency: Idempotency
    let live: LiveSettings
    let version: String
    let startedAt = SystemClock.now()
    let exitStream: StreamHub
    let logStream: StreamHub
    let eventFeed: EventFeed
    let openStreams = OpenStreams()
    let waits = Waits()
    private let written = Mutex<WrittenDocuments?>(nil)
    let answers = KeptAnswers()
    let figures = KeptFigures()
    private let exitsBody = Mutex<(revision: Int, answer: ServerResponse)?>(nil)
    private let cachedRoutes = Mutex<[APIRoute]?>(nil)

    /// What the API keeps outside of this process; each may be absent, and then lives in memory.
    package struct Parts: Sendable {
        package var memory: (any SharedMemory)?
        package var keys: (any KeyStore)?
        package var audit: (any AuditStore)?
        /// What must not be set back in the store, and what to tell where it was.
        package var marks = HighMarks(path: nil)
        package var concerns = Concerns()
        /// Makes and checks the codes of the audit log's entries; nil where they have none.
        package var authenticator: @Sendable () -> Authenticator? = { nil }
        package var figures: (any FigureStore)?
        package var webhooks: (any WebhookStore)?
        package var webhookSender: (any WebhookSending)?
        package var settings: (any SettingStore)?
        package var logTail: LogTail?
        package var events: (any EventSource)?
        /// Where proxy users can connect, in a state.
        package var entries: (@Sendable (OperatorState) -> [ProxyEntry])?
        /// Reads the configuration again; throws `ReloadRefusal`.
        package var reload: (@Sendable () async throws -> ReloadReport)?
        /// The settings as the configuration has them, secrets masked.
        package var configuration: (@Sendable () -> [SettingView])?
        package init() {}
    }

    package init(
        operations: any Operations, keys: KeyRing, proxy: ProxyAddress, settings: Settings = Settings(), parts: Parts = Parts(),
        version: String = "0", log: Log
    ) {
        self.operations = operations
        self.keys = keys
        self.proxy = proxy
        self.log = log
        self.version = version
        self.parts = parts
        let process = Digest.randomHex(bytes: 4)
        exitStream = StreamHub("exits", process: process, metrics: metrics)
        logStream = StreamHub("logs", process: process, metrics: metrics)
        eventFeed = EventFeed(metrics: metrics)
        idempotency = Idempotency(shared: parts.memory)
        audit = AuditLog(
            store: parts.audit ?? MemoryAuditStore(), log: log, marks: parts.marks, concerns: parts.concerns,
            authenticator: parts.authenticator)
        live = LiveSettings(LiveValues(serving: settings, retentionDays: audit.retentionDays))
    }

    /// How requests are let in.
    package var settings: Settings { live.values.serving }

    /// What the configuration says; it counts for the next request, but for what was changed through the API.
    package func configure(_ settings: Settings, auditRetentionDays: Double) {
        live.configure { $0 = LiveValues(serving: settings, retentionDays: auditRetentionDays) }
        audit.retentionDays = live.values.retentionDays
    }

    /// Shares limits, keys and settings with other controllers and writes the audit log, until it is cancelled.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.audit.run() }
            group.addTask { await self.shareLimits() }
            group.addTask { await self.followKeys() }
            group.addTask { await self.followSettings() }
            group.addTask { await self.feedStreams() }
            group.addTask { await self.endStreams() }
            group.addTask { await self.sampleFigures() }
            await group.waitForAll()
        }
    }

    /// Ends what requests wait for at length, so that they are answered with what there is; for the end of the process.
    package func endWaits() { waits.end() }

    private func shareLimits() async {
        guard let memory = parts.memory else { return }
        var isAway = false
        while !Task.isCancelled {
            do {
                try await limiter.share(with: memory, window: settings.windowSeconds)
                if isAway { log.info("rate limits are shared again") }
                isAway = false
            } catch {
                if !isAway { log.warning("rate limits count in this process alone: the store does not answer", ["error": "\(error)"]) }
                isAway = true
            }
            try? await Task.sleep(for: .milliseconds(isAway ? 1000 : 100))
        }
    }

    private func followKeys() async {
        guard let store = parts.keys else { return }
        var noted: [String: Timestamp] = [:]
        while !Task.isCancelled {
            let edition = keys.edition
            if let stored = try? await store.keys() { keys.replaceStored(stored.keys, used: stored.used, edition: edition) }
            let used = keys.lastUses
            let news = used.filter { noted[$0.key] != $0.value }
            if !news.isEmpty, (try? await store.noteUse(news)) != nil { noted = used }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// The table, made once.
    func kept(_ make: () -> [APIRoute]) -> [APIRoute] {
        if let routes = cachedRoutes.withLock({ $0 }) { return routes }
        let routes = make()
        cachedRoutes.withLock { $0 = routes }
        return routes
    }

    /// What is written from the table, once.
    var documents: WrittenDocuments {
        written.withLock { kept in
            if let kept { return kept }
            let made = WrittenDocuments(routes, version: version)
            kept = made
            return made
        }
    }

    /// The list of all exits, made once for each state.
    func allExits() -> ServerResponse {
        let revision = operations.revision
        if let answer = exitsBody.withLock({ $0?.revision == revision ? $0?.answer : nil }) { return answer }
        let state = operations.state
        var json = JSONText()
        json.object { json in
            json.list("exits", views(state.exits.values)) { json, exit in json.object { exit.write(into: &$0) } }
        }
        var made = ServerResponse.json(bytes: json.bytes)
        Dressing.prepare(&made)
        let answer = made
        exitsBody.withLock { $0 = (state.revision, answer) }
        return answer
    }

    func views(_ exits: some Collection<Exit>) -> [ExitView] {
        exits.sorted { $0.id < $1.id }.map { ExitView($0, proxy: proxy) }
    }
}
