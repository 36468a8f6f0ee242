import HTTPServing
import Model
import Platform

/// What a reload has done.
package struct ReloadReport: Sendable {
    /// Settings that are in force now.
    package var changed: [String]
    /// Settings that differ and count only after a restart.
    package var needsRestart: [String]
    package init(changed: [String], needsRestart: [String]) {
        self.changed = changed
        self.needsRestart = needsRestart
    }
}

/// A new configuration that was not taken: everything that is wrong with it.
package struct ReloadRefusal: Error {
    package var problems: [String]
    package init(problems: [String]) { self.problems = problems }
}

/// `/admin`, `/metrics`, `/health/deep`: how the controller itself is.
extension API {
    static let adminSchemas: [String: Schema] = [
        "Reload": .object(
            .always("changed", .list(.text("api.limits"))), .always("needs_restart", .list(.text("gateway")))),
        "LimitStats": .object(
            .always("address", .text("127.0.0.1")), .always("window_seconds", .whole(60)),
            .always("standard", .named("LimitUse")), .always("strict", .named("LimitUse")), .always("failed_keys", .named("LimitUse"))),
        "LimitUse": .object(.always("used", .whole(3)), .always("limit", .whole(6000))),
        "DeepHealth": .object(
            .always("status", .choice(["healthy", "troubled"])), .always("role", .choice(["leader", "follower"])),
            .always(
                "parts",
                .map(.object(.always("status", .choice(["ok", "troubled"])), .maybe("problem", .text("nobody answers")))))),
        "ControllerStatus": .object(
            .always("version", .text("0.1.0")), .always("started_at", .time), .always("role", .choice(["leader", "follower"])),
            .always("exits", .whole(2)), .always("serving", .whole(2)), .always("pools", .whole(1)), .always("users", .whole(1)),
            .always("readers", .whole(0), "of streams")),
        "Configuration": .object(
            .always("settings", .list(.text("api.connections: 2000")), "as `sallyport config` prints them, secrets masked")),
    ]

    var adminRoutes: [APIRoute] {
        let stats = Answer.json(200, "what it has used", .named("LimitStats"))
        return [
            Route(
                "GET", "/metrics",
                Contract(.role(.viewer), "Figures for Prometheus", answers: [.text("text format 0.0.4", "text/plain")]), .ready(showMetrics)
            ),
            Route(
                "GET", "/health/deep",
                Contract(.role(.viewer), "The state of each part", answers: [.json(200, "each part", .named("DeepHealth"))]),
                .ready(showDeepHealth)),
            Route(
                "GET", "/admin/status",
                Contract(
                    .role(.admin), "The controller in figures", answers: [.json(200, "they", .named("ControllerStatus"))], limit: .strict),
                .ready(showStatus)),
            Route(
                "GET", "/admin/config",
                Contract(
                    .role(.admin), "The configuration in force, secrets masked", answers: [.json(200, "it", .named("Configuration"))],
                    limit: .strict), .ready(showConfiguration)),
            Route(
                "POST", "/admin/reload",
                Contract(
                    .role(.admin), "Reads the configuration again", "All or nothing: with a mistake in it, everything stays as it was.",
                    answers: [.json(200, "what has changed", .named("Reload"))], limit: .strict),
                .waiting(reload)),
            Route(
                "GET", "/admin/ratelimit/stats/{ip}",
                Contract(.role(.admin), "What an address has used of its limits", answers: [stats], limit: .strict), .ready(showLimit)),
            Route(
                "POST", "/admin/ratelimit/clear/{ip}",
                Contract(.role(.admin), "Lets an address begin anew", answers: [stats], limit: .strict), .waiting(clearLimit)),
        ]
    }

    // MARK: - Figures

    func showMetrics(_ request: ServerRequest) throws -> ServerResponse {
        let state = operations.state
        var byState: [[String]: Double] = [:]
        var verdicts: [[String]: Double] = [:]
        var latency: [[String]: Double] = [:]
        for exit in state.exits.values {
            byState[[exit.country.rawValue, exit.state.rawValue], default: 0] += 1
            verdicts[[exit.health.verdict.rawValue, exit.health.reason?.rawValue ?? "none"], default: 0] += 1
            if let milliseconds = exit.health.latencyMilliseconds { latency[["\(exit.id)", exit.country.rawValue]] = milliseconds / 1000 }
        }
        func gauge(_ name: String, _ help: String, _ labels: [String], _ values: [[String]: Double]) -> Metric {
            let metric = Metric(.gauge, name, help, labels: labels)
            metric.replace(values)
            return metric
        }
        let problems = Dictionary(uniqueKeysWithValues: state.problems.keys.map { ([$0], 1.0) })
        let waiting = audit.figures
        let all = [
            gauge("sallyport_exits", "Exits by country and state.", ["country", "state"], byState),
            gauge(
                "sallyport_exit_verdicts", "Exits by verdict and the reason of their last failed probe.", ["verdict", "reason"], verdicts),
            gauge("sallyport_exit_probe_latency_seconds", "Time of the last good probe.", ["exit", "country"], latency),
            gauge(
                "sallyport_pools_wanted_exits", "Wanted exits.", ["country"],
                state.pools.reduce(into: [:]) { $0[[$1.key.rawValue]] = Double($1.value.size) }),
            gauge("sallyport_part_troubled", "1 for each outside part that does not answer.", ["part"], problems),
            gauge("sallyport_leader", "1 where this controller leads.", [], [[]: state.leader == nil ? 1 : 0]),
            gauge("sallyport_proxy_users", "Proxy users.", [], [[]: Double(state.users.count)]),
            gauge("sallyport_audit_entries_waiting", "Audit entries that are not written yet.", [], [[]: Double(waiting.pending)]),
            gauge("sallyport_ratelimit_identities", "Addresses and keys that limits remember.", [], [[]: Double(limiter.size)]),
            gauge(
                "sallyport_start_time_seconds", "When the controller started, in seconds since 1970.", [],
                [[]: Double(startedAt.milliseconds) / 1000]),
            metrics.requests, metrics.seconds, metrics.keyFailures, metrics.limited, metrics.streams, metrics.droppedReaders,
            Metrics.redisCalls, Metrics.redisSeconds, Metrics.engineCalls, Metrics.engineSeconds, Metrics.loopSeconds, Metrics.loopLastRun,
        ]
        var text = ""
        for metric in all { metric.write(into: &text) }
        return ServerResponse(status: 200, headers: [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")], body: Array(text.utf8))
    }

    func showDeepHealth(_ request: ServerRequest) throws -> ServerResponse {
        struct Part: Encodable {
            let status: String
            let problem: String?
        }
        struct Health: Encodable {
            let status: String
            let role: String
            let parts: [String: Part]
        }
        let state = operations.state
        var parts = Dictionary(
            uniqueKeysWithValues: ["engine", "gateway", "store", "catalog", "host", "loop"].map { ($0, Part(status: "ok", problem: nil)) })
        for (name, problem) in state.problems { parts[name] = Part(status: "troubled", problem: problem) }
        if let trouble = audit.figures.trouble { parts["audit"] = Part(status: "troubled", problem: trouble) }
        let isHealthy = parts.values.allSatisfy { $0.status == "ok" }
        return .json(
            Health(status: isHealthy ? "healthy" : "troubled", role: state.leader == nil ? "leader" : "follower", parts: parts), asIs: true)
    }

    func showStatus(_ request: ServerRequest) throws -> ServerResponse {
        struct Status: Encodable {
            let version: String
            let startedAt: Timestamp
            let role: String
            let exits: Int
            let serving: Int
            let pools: Int
            let users: Int
            let readers: Int
        }
        let state = operations.state
        return .json(
            Status(
                version: version, startedAt: startedAt, role: state.leader == nil ? "leader" : "follower", exits: state.exits.count,
                serving: state.exits.values.count { $0.state.takesTraffic }, pools: state.pools.count, users: state.users.count,
                readers: exitStream.readers + logStream.readers + eventFeed.readers))
    }

    func showConfiguration(_ request: ServerRequest) throws -> ServerResponse {
        .json(["settings": parts.configuration?() ?? []])
    }

    // MARK: - The configuration

    func reload(_ request: ServerRequest) async throws -> ServerResponse {
        struct Done: Encodable {
            let changed: [String]
            let needsRestart: [String]
        }
        do {
            let report = try parts.reload?() ?? ReloadReport(changed: [], needsRestart: [])
            return .json(Done(changed: report.changed, needsRestart: report.needsRestart))
        } catch let refusal as ReloadRefusal {
            throw APIProblem.invalid(refusal.problems.map { FieldProblem(field: "configuration", message: $0) })
        }
    }

    // MARK: - Limits

    private func address(_ request: ServerRequest) throws -> String {
        let text = request.parameters["ip"] ?? ""
        guard let address = IPNetwork(text), !text.contains("/") else {
            throw APIProblem.invalid([FieldProblem(field: "ip", message: "want an IPv4 or IPv6 address")])
        }
        return address.description
    }

    func showLimit(_ request: ServerRequest) throws -> ServerResponse { stats(of: try address(request)) }

    private func stats(of address: String) -> ServerResponse {
        struct Use: Encodable {
            let used: Int
            let limit: Int
        }
        struct Stats: Encodable {
            let address: String
            let windowSeconds: Int
            let standard: Use
            let strict: Use
            let failedKeys: Use
        }
        let settings = settings
        func use(_ name: String, _ limit: Int) -> Use {
            Use(used: limiter.used("\(name):address:\(address)", window: settings.windowSeconds), limit: limit)
        }
        return .json(
            Stats(
                address: address, windowSeconds: settings.windowSeconds, standard: use("standard", settings.requests),
                strict: use("strict", settings.strictRequests), failedKeys: use("failed", settings.failedKeys)))
    }

    func clearLimit(_ request: ServerRequest) async throws -> ServerResponse {
        let address = try address(request)
        let names = ["standard", "strict", "failed"].map { "\($0):address:\(address)" }
        let keys = limiter.clear(names, window: settings.windowSeconds)
        // Where the shared memory is away, its counters end by themselves.
        try? await parts.memory?.remove(keys)
        return stats(of: address)
    }
}
