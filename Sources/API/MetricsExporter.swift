import AccessControl
import AuditLog
import EventStreams
import HTTPServing
import Model
import Platform

/// The figures of this moment, for Prometheus.
struct MetricsExporter: Sendable {
    let process: ProcessFacts
    let audit: AuditLog
    let limiter: RateLimiter
    /// What the API counts about itself.
    let metrics: [Metric]

    /// Labels that are for those who may know users' names.
    private static let personal: Set = ["user"]

    /// The text format 0.0.4 of Prometheus.
    /// - Parameter showsNames: false sums up what is counted by proxy user.
    func text(of state: OperatorState, showsNames: Bool) -> String {
        let hidden = showsNames ? [] : Self.personal
        let gauges = Self.gauges(of: state) + ownGauges() + Self.processGauges()
        var text = ""
        for metric in gauges + metrics + Metrics.all { metric.write(into: &text, without: hidden) }
        return text
    }

    private static func gauge(_ name: String, _ help: String, _ labels: [String] = [], _ values: [[String]: Double]) -> Metric {
        let metric = Metric(.gauge, name, help, labels: labels)
        metric.replace(values)
        return metric
    }

    /// What the loop knows.
    private static func gauges(of state: OperatorState) -> [Metric] {
        var byState: [[String]: Double] = [:]
        var verdicts: [[String]: Double] = [:]
        var latency: [[String]: Double] = [:]
        for exit in state.exits.values {
            byState[[exit.country.rawValue, exit.state.rawValue], default: 0] += 1
            verdicts[[exit.health.verdict.rawValue, exit.health.reason?.rawValue ?? "none"], default: 0] += 1
            if let milliseconds = exit.health.latencyMilliseconds { latency[["\(exit.id)", exit.country.rawValue]] = milliseconds / 1000 }
        }
        let wanted = state.pools.reduce(into: [:]) { $0[[$1.key.rawValue]] = Double($1.value.sizeNow) }
        let serving = state.pools.keys.reduce(into: [:]) { counts, country in
            counts[[country.rawValue]] = Double(state.exits.serving(in: country).count)
        }
        return [
            gauge("sallyport_exits", "Exits by country and state.", ["country", "state"], byState),
            gauge(
                "sallyport_exit_verdicts", "Exits by verdict and the reason of their last failed probe.", ["verdict", "reason"], verdicts),
            gauge("sallyport_exit_probe_latency_seconds", "Time of the last successful probe.", ["exit", "country"], latency),
            gauge("sallyport_pools_wanted_exits", "Wanted exits.", ["country"], wanted),
            gauge("sallyport_pools_serving_exits", "Exits of a pool that take traffic.", ["country"], serving),
            gauge("sallyport_breakers", "Breakers by what they are about and their state.", ["kind", "state"], breakers(state)),
            gauge(
                "sallyport_account_devices", "Exits that have a tunnel of an account.", ["provider", "account"],
                accounts(state) { Double($0.inUse) }),
            gauge(
                "sallyport_account_device_limit", "Tunnels that an account may have at once, where there is a limit.",
                ["provider", "account"], accounts(state) { $0.devices.map(Double.init) }),
            gauge(
                "sallyport_account_refused", "1 while an account's key or token is refused, else 0.", ["provider", "account"],
                accounts(state) { $0.state == "closed" ? 0 : 1 }),
            gauge("sallyport_alerts", "Alerts by severity.", ["severity"], alerts(state)),
            gauge(
                "sallyport_part_troubled", "1 for each part that did not answer at its last check.", ["part"],
                Dictionary(uniqueKeysWithValues: state.problems.keys.map { ([$0], 1.0) })),
            gauge("sallyport_leader", "1 if this controller leads.", [], [[]: state.leader == nil ? 1 : 0]),
            gauge("sallyport_proxy_users", "Proxy users.", [], [[]: Double(state.users.count)]),
            gauge("sallyport_proxy_users_blocked", "Proxy users who are over a quota.", [], [[]: Double(state.blockedUsers.count)]),
        ]
    }

    /// All combinations, so that none is absent where an alert looks for it.
    private static func breakers(_ state: OperatorState) -> [[String]: Double] {
        var counts: [[String]: Double] = [:]
        for kind in ["server", "credential"] { for name in ["closed", "open", "half_open"] { counts[[kind, name]] = 0 } }
        for breaker in state.breakers { counts[[breaker.name.kind, breaker.state], default: 0] += 1 }
        return counts
    }

    private static func accounts(_ state: OperatorState, _ value: (AccountView) -> Double?) -> [[String]: Double] {
        state.accounts.reduce(into: [:]) { values, entry in
            for account in entry.value { values[[entry.key.rawValue, account.name]] = value(account) }
        }
    }

    private static func alerts(_ state: OperatorState) -> [[String]: Double] {
        var counts = Dictionary(uniqueKeysWithValues: Severity.allCases.map { ([$0.rawValue], 0.0) })
        for alert in state.alerts { counts[[alert.severity.rawValue], default: 0] += 1 }
        return counts
    }

    private func ownGauges() -> [Metric] {
        let now = Double(SystemClock.now().milliseconds) / 1000
        return [
            Self.gauge(
                "sallyport_catalog_age_seconds", "Age of a provider's list.", ["provider"],
                Metrics.catalogFetched.values.mapValues { max(0, now - $0) }),
            Self.gauge(
                "sallyport_audit_entries_waiting", "Audit entries that are not written yet.", [], [[]: Double(audit.figures.pending)]),
            Self.gauge(
                "sallyport_audit_problems", "Problems of the audit log that nobody has acknowledged.", [],
                [[]: Double(audit.figures.problems.count)]),
            Self.gauge(
                "sallyport_ratelimit_identities", "Addresses and keys that the rate limiter remembers.", [], [[]: Double(limiter.size)]),
            Self.gauge(
                "sallyport_start_time_seconds", "When the controller started, in seconds since 1970.", [],
                [[]: Double(process.startedAt.milliseconds) / 1000]),
            Self.gauge("sallyport_build_info", "1, with the version.", ["version"], [[process.version]: 1]),
        ]
    }

    /// Under the names of Prometheus's own client libraries.
    private static func processGauges() -> [Metric] {
        guard let figures = ProcessFigures.now() else { return [] }
        let cpu = Metric(.counter, "process_cpu_seconds_total", "Processor time that this process has used, in seconds.")
        cpu.add(figures.cpuSeconds)
        return [
            cpu,
            gauge("process_resident_memory_bytes", "Memory of this process in RAM.", [], [[]: Double(figures.residentBytes)]),
            gauge("process_virtual_memory_bytes", "Memory of this process in its address space.", [], [[]: Double(figures.virtualBytes)]),
            gauge("process_threads", "Threads of this process.", [], [[]: Double(figures.threads)]),
            gauge("process_open_fds", "Open files and sockets of this process.", [], [[]: Double(figures.openFiles)]),
        ]
    }
}
