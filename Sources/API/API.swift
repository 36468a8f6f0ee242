package import AccessControl
package import AuditLog
import EventStreams
package import HTTPServing
import Model
package import Platform
package import RequestPipeline
import TimeSeries

/// The HTTP API: the groups of routes, the pipeline that serves them, and what runs beside requests.
package final class API: Sendable {
    package let audit: AuditLog
    let pipeline: RequestPipeline
    let live: LiveSettings
    let streams: Streams
    let history: FigureHistory
    let callers: Callers
    private let codes: SignInCodes
    private let longPolls: LongPolls
    /// What runs beside requests, each until it is cancelled.
    private let services: [@Sendable () async -> Void]

    package init(
        operations: any Operations, keys: KeyRing, proxy: ProxyAddress, settings: RequestSettings = RequestSettings(),
        parts: Parts = Parts(), version: String = "0", log: Log
    ) {
        let audit = AuditLog(
            store: parts.audit ?? MemoryAuditStore(), log: log, marks: parts.marks, alertReporter: parts.alertReporter,
            authenticator: parts.authenticator)
        let live = LiveSettings(LiveValues(serving: settings, retentionDays: audit.retentionDays), audit: audit)
        let sessions = SessionTable(keys: keys, store: parts.sessions) { live.values.serving.sessions }
        let codes = SignInCodes(parts.codes, memory: parts.memory)
        let tokens = UserTokens(revision: { operations.revision }, users: { operations.state.users })
        let callers = Callers(keys: keys, sessions: sessions, tokens: tokens, keyStore: parts.keys)
        let shared = Shared(
            operations: operations, proxy: proxy, callers: callers, codes: codes, audit: audit, live: live,
            figures: FigureRecorder(store: parts.figures))
        pipeline = RequestPipeline(
            Self.table(shared, parts, version: version), callers: shared.callers, limiter: shared.limiter, streams: shared.streams,
            memory: parts.memory, audit: audit, metrics: shared.metrics, log: log
        ) { live.values.serving }
        services = Self.services(shared, parts, log)
        (self.audit, self.live) = (audit, live)
        (streams, longPolls, history) = (shared.streams, shared.longPolls, shared.figures.history)
        (self.callers, self.codes) = (callers, codes)
    }

    private static func services(_ shared: Shared, _ parts: Parts, _ log: Log) -> [@Sendable () async -> Void] {
        let (operations, callers, live) = (shared.operations, shared.callers, shared.live)
        let (streams, limiter, metrics) = (shared.streams, shared.limiter, shared.metrics)
        let feed = ExitFeed(
            streams.exits,
            state: {
                let state = operations.state
                return (state.revision, state.exits)
            },
            json: { String(decoding: ServerResponse.exit($0, proxy: shared.proxy).body, as: UTF8.self) })
        return [
            { await shared.audit.run() },
            { if let memory = parts.memory { await limiter.share(with: memory, window: { live.values.serving.windowSeconds }, log: log) } },
            { if let store = parts.keys { await callers.keys.follow(store) } },
            { await callers.sessions.follow() },
            { if let store = parts.settings { await live.follow(store, log: log) } },
            {
                await streams.run(
                    feed, stored: [shared.traffic, shared.changes], events: parts.events, tail: parts.logTail, callers: callers, log: log)
            },
            {
                await shared.figures.run(
                    isLeading: { operations.state.leader == nil }, reading: { FigureReading(operations.state, metrics) })
            },
        ]
    }

    /// What a server calls for each request.
    package func dispatcher() -> @Sendable (ServerRequest) -> Dispatch { pipeline.dispatcher() }

    /// What a server calls for each request that it can't hand on.
    package func refuser() -> @Sendable (ServerRequest, APIProblem) -> ServerResponse { pipeline.refuser() }

    /// Takes settings of the configuration. They count for the next request, except where they were changed through the API.
    package func configure(_ settings: RequestSettings, auditRetentionDays: Double) {
        live.configure { $0 = LiveValues(serving: settings, retentionDays: auditRetentionDays) }
    }

    /// Shares limits, keys and settings with other controllers, feeds the streams, takes figures and writes the audit log, until it is
    /// cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for service in services { group.addTask { await service() } }
        }
    }

    /// A one-time code that signs a browser in for a key.
    /// - Parameter id: the key's.
    package func signInCode(for id: String) -> String? { callers.keys.present(id).map { codes.make(for: $0).code } }

    /// Ends what requests wait for at length, so that they are answered with what there is; for the end of the process.
    package func cancelLongPolls() { longPolls.cancelAll() }
}
