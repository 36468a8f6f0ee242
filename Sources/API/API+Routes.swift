import AccessControl
import AuditLog
import EventStreams
import Model
import OpenAPI
import Platform
import RequestPipeline
import TimeSeries

extension API {
    /// What several groups of routes need.
    struct Shared: Sendable {
        let operations: any Operations
        let proxy: ProxyAddress
        let callers: Callers
        let codes: SignInCodes
        let audit: AuditLog
        let live: LiveSettings
        let figures: FigureRecorder
        let limiter = RateLimiter()
        let streams = Streams()
        let longPolls = LongPolls()
        let metrics = RequestMetrics()

        /// The topics of the dashboard that are read from the store.
        let traffic: StoredTopic
        let changes: StoredTopic

        init(
            operations: any Operations, proxy: ProxyAddress, callers: Callers, codes: SignInCodes, audit: AuditLog, live: LiveSettings,
            figures: FigureRecorder
        ) {
            (self.operations, self.proxy, self.callers, self.codes) = (operations, proxy, callers, codes)
            (self.audit, self.live, self.figures) = (audit, live, figures)
            traffic = .traffic(operations)
            changes = .changes(audit, callers.keys, live)
        }
    }

    /// The table of routes, in the order of the document.
    static func table(_ shared: Shared, _ parts: Parts, version: String) -> RouteTable {
        let (operations, responses) = (shared.operations, ResponseCache())
        let list = ExitList(operations, proxy: shared.proxy)
        let names = UserNameAccess(callers: shared.callers, settings: shared.live)
        let health = HealthRoutes(operations: operations, audit: shared.audit)
        let process = ProcessFacts(version: version)
        DashboardTopics(
            operations: operations, proxy: shared.proxy, traffic: shared.traffic, changes: shared.changes,
            history: shared.figures.history, health: health, tail: parts.logTail
        ).feed(shared.streams)
        let exporter = MetricsExporter(
            process: process, audit: shared.audit, limiter: shared.limiter, metrics: shared.metrics.all + shared.streams.metrics.all)
        let groups: [any RouteGroup] = [
            ExitRoutes(operations: operations, proxy: shared.proxy, list: list, longPolls: shared.longPolls),
            MonitoringRoutes(operations: operations, events: parts.events, names: names),
            SpeedTestRoutes(operations: operations),
            PoolRoutes(operations: operations, responses: responses),
            ServerRoutes(operations: operations, responses: responses),
            UserRoutes(operations: operations), MeRoutes(operations: operations, tokens: shared.callers.tokens),
            KeyRoutes(callers: shared.callers, store: parts.keys),
            SessionRoutes(
                callers: shared.callers, codes: shared.codes,
                tries: KeyTries(
                    keys: shared.callers.keys, tokens: shared.callers.tokens, limiter: shared.limiter, failures: shared.metrics.keyFailures),
                settings: shared.live),
            AuditRoutes(audit: shared.audit, callers: shared.callers),
            StreamRoutes(streams: shared.streams, list: list, names: names, tail: parts.logTail),
            WebhookRoutes(store: parts.webhooks, webhookSender: parts.webhookSender, events: parts.events),
            health,
            MetricsRoutes(operations: operations, exporter: exporter, history: shared.figures.history, names: names),
            ControllerRoutes(
                operations: operations, process: process, streams: shared.streams, settings: shared.live,
                configuration: parts.configuration,
                readConfiguration: parts.reload),
            EntryRoutes(operations: operations, entries: parts.entries),
            SettingsRoutes(settings: shared.live, store: parts.settings),
            LimitRoutes(limiter: shared.limiter, memory: parts.memory, settings: shared.live),
        ]
        let pages = ReferenceRoutes(showsDashboard: parts.showsDashboard).routes
        let dashboard = parts.showsDashboard ? DashboardRoutes.shared.routes : []
        return RouteTable(version: version, pages: pages + dashboard) { document in
            health.liveness + [document] + groups.flatMap(\.routes)
        }
    }
}
