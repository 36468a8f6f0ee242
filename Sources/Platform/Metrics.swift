/// Metrics that every part of the process counts into, wherever it is. `docs/metrics.md` has a line for each.
package enum Metrics {
    package static let seconds: [Double] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
    private static let failoverSeconds: [Double] = [0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300]

    // MARK: - Parts outside of this process

    package static let redisCalls = Metric(.counter, "sallyport_redis_commands_total", "Commands sent to Redis.", labels: ["result"])
    package static let redisSeconds = Metric(
        .histogram(seconds), "sallyport_redis_command_duration_seconds", "Time of a batch of commands.")
    package static let engineCalls = Metric(
        .counter, "sallyport_engine_requests_total", "Requests to the Docker Engine, with its status, or timeout or unreachable.",
        labels: ["method", "status"])
    package static let engineSeconds = Metric(
        .histogram(seconds), "sallyport_engine_request_duration_seconds", "Time of a request to the Docker Engine.", labels: ["method"])
    package static let catalogServers = Metric(
        .gauge, "sallyport_catalog_servers", "Servers of a provider's list.", labels: ["provider"])
    package static let catalogFetched = Metric(
        .gauge, "sallyport_catalog_fetched_timestamp_seconds", "When a provider's list was fetched, in seconds since 1970.",
        labels: ["provider"])
    package static let catalogFetches = Metric(
        .counter, "sallyport_catalog_fetches_total", "Fetches of a provider's list: list, unchanged, held_back or failed.",
        labels: ["provider", "result"])

    package static let refusedRows = Metric(
        .gauge, "sallyport_store_rows_refused", "Rows of the store that are not valid or are missing, by their table.", labels: ["table"])

    // MARK: - The loop, its exits and pools

    package static let loopLastRun = Metric(
        .gauge, "sallyport_loop_last_run_timestamp_seconds", "When the control loop last finished a pass, in seconds since 1970.")
    package static let loopSeconds = Metric(.histogram(seconds), "sallyport_loop_duration_seconds", "Time of one pass of the control loop.")
    package static let probeSeconds = Metric(
        .histogram(seconds), "sallyport_probe_duration_seconds", "Time of a fast probe that was answered.", labels: ["country"])
    package static let probes = Metric(
        .counter, "sallyport_probes_total", "Probes of exits: ok, or the reason of the failure.", labels: ["kind", "result"])
    package static let verdictChanges = Metric(
        .counter, "sallyport_verdict_changes_total", "Changes of exits' verdicts, by the new verdict and its reason.",
        labels: ["verdict", "reason"])
    package static let handshakeAge = Metric(
        .gauge, "sallyport_exit_handshake_age_seconds", "Age of the tunnel's last handshake at the last reading, about once a minute.",
        labels: ["exit", "country"])
    package static let comparedAt = Metric(
        .gauge, "sallyport_exit_address_compared_timestamp_seconds",
        "When an exit's address was last compared with this machine's own, in seconds since 1970; 0 for never.",
        labels: ["exit", "country"])
    package static let placedAt = Metric(
        .gauge, "sallyport_exit_country_compared_timestamp_seconds",
        "When an address service last gave an exit's country, in seconds since 1970; 0 for never.", labels: ["exit", "country"])
    package static let addressRequests = Metric(
        .counter, "sallyport_address_service_requests_total",
        "Requests to address services: address, refused, failed, useless or unanswered.", labels: ["service", "result"])
    package static let addressBudget = Metric(
        .gauge, "sallyport_address_service_budget_requests",
        "Requests to an address service that its budget leaves now; negative where exits that had to start took more.", labels: ["service"])
    package static let addressResting = Metric(
        .gauge, "sallyport_address_service_resting", "1 while an address service that refused is left alone.", labels: ["service"])
    package static let canaryRequests = Metric(
        .counter, "sallyport_canary_requests_total", "Questions to canaries through exits: passed, blocked or unknown.",
        labels: ["canary", "result"])
    package static let canaryPassed = Metric(
        .gauge, "sallyport_exit_canary_passed", "1 where a canary last gave a good answer through an exit, else 0.",
        labels: ["exit", "country", "canary"])
    package static let leakedPackets = Metric(
        .gauge, "sallyport_exit_leaked_packets",
        "Packets that left beside the tunnel, as the exit's own firewall counted them, at the last reading.", labels: ["exit", "country"])
    package static let leakedBytes = Metric(
        .gauge, "sallyport_exit_leaked_bytes", "Bytes of these.", labels: ["exit", "country"])
    package static let exitConnections = Metric(
        .gauge, "sallyport_exit_connections", "Connections to the exit's proxy, at the last reading.", labels: ["exit", "country"])
    package static let exitAttempts = Metric(
        .counter, "sallyport_exit_attempts_total",
        "Look-ups of targets' names and connections to targets by the exit's proxy since its start, at the last reading.",
        labels: ["exit", "country", "kind", "result"])
    package static let exitAttemptSeconds = Metric(
        .counter, "sallyport_exit_attempt_seconds_total", "Time of these, failed ones included.", labels: ["exit", "country", "kind"])
    package static let exitFailures = Metric(
        .counter, "sallyport_exit_failures_total", "Exits that failed, whether they took traffic or not.",
        labels: ["cause", "reason"])
    package static let failovers = Metric(
        .counter, "sallyport_failovers_total", "Exits that took traffic and were lost.", labels: ["cause", "reason"])
    package static let failoverDuration = Metric(
        .histogram(failoverSeconds), "sallyport_failover_duration_seconds",
        "Time from an exit's judgement as dead or lost until the gateway sends traffic to the next one of its pool.", labels: ["cause"])
    package static let rotations = Metric(
        .counter, "sallyport_rotations_total", "Planned replacements of exits.", labels: ["cause", "reason"])
    package static let events = Metric(.counter, "sallyport_events_total", "Events that this controller recorded.", labels: ["kind"])
    package static let leaderTerms = Metric(.counter, "sallyport_leader_terms_total", "Terms in which this controller has led.")

    // MARK: - What the gateway has carried

    /// Pairs of user and country that are kept apart.
    package static let usageLimit = 1000
    package static let userBytes = Metric(
        .counter, "sallyport_proxy_bytes_total", "Bytes of proxy users: in from them, out to them.",
        labels: ["user", "country", "direction"], limit: 2 * usageLimit, folding: ["user"])
    package static let userConnections = Metric(
        .counter, "sallyport_proxy_connections_total", "Requests and tunnels of proxy users.", labels: ["user", "country"],
        limit: usageLimit, folding: ["user"])
    package static let userErrors = Metric(
        .counter, "sallyport_proxy_errors_total", "Requests of proxy users that an exit or a target failed.", labels: ["user", "country"],
        limit: usageLimit, folding: ["user"])
    package static let exitBytes = Metric(
        .counter, "sallyport_exit_bytes_total", "Bytes that an exit has carried: in from users, out to them.",
        labels: ["exit", "country", "direction"], limit: 2 * usageLimit, folding: ["exit"])
    package static let usageReadings = Metric(
        .counter, "sallyport_usage_readings_total", "Collections of the gateway's counters.", labels: ["result"])
    package static let gatewayLoads = Metric(
        .counter, "sallyport_gateway_loads_total", "Configurations that HAProxy was started with or reloaded for.", labels: ["kind"])
    package static let gatewayRepairs = Metric(
        .counter, "sallyport_gateway_repairs_total",
        "Corrections of HAProxy, or of its files, that differed from the controller's configuration.")

    package static let authFailures = Metric(
        .counter, "sallyport_gateway_auth_failures_total",
        "Requests and handshakes that the gateway refused for a missing or wrong name, password or address, or for too many wrong ones.",
        labels: ["reason"])
    package static let refusedConnections = Metric(
        .counter, "sallyport_gateway_refused_connections_total",
        "Unauthenticated connections that were closed because their source had too many.", labels: ["reason"])
    package static let gatewayRetries = Metric(
        .counter, "sallyport_gateway_retries_total", "Exits that were left for another one before a tunnel was made.")
    package static let gatewayHeld = Metric(
        .counter, "sallyport_gateway_held_requests_total", "Requests that waited for an exit that was on its way.")
    package static let onDemandOpenings = Metric(
        .counter, "sallyport_on_demand_openings_total", "Countries that a request has opened.")
    package static let onDemandRefusals = Metric(
        .counter, "sallyport_on_demand_refusals_total", "Questions of the gateway for a country that were refused.", labels: ["reason"])
    package static let onDemandClosings = Metric(
        .counter, "sallyport_on_demand_closings_total", "Countries that were closed: idle, or evicted for another one.", labels: ["cause"])
    package static let onDemandSeconds = Metric(
        .histogram(failoverSeconds), "sallyport_on_demand_wait_seconds",
        "Time from a country's opening until the gateway sends traffic to its exit.")
    package static let accessLogLost = Metric(
        .counter, "sallyport_access_log_lines_lost_total", "Lines of the access log that could not be written.")

    // MARK: - Webhooks

    package static let deliveries = Metric(
        .counter, "sallyport_webhook_deliveries_total", "Attempts to deliver an event: delivered, refused by status, or failed.",
        labels: ["result"])
    package static let deliverySeconds = Metric(
        .histogram(seconds), "sallyport_webhook_delivery_duration_seconds", "Time of an attempt to deliver an event.")
    package static let waitingEvents = Metric(
        .gauge, "sallyport_webhook_queue_events", "Events that an enabled webhook has not finished, 1,000 at most.", labels: ["webhook"])
    package static let webhooks = Metric(.gauge, "sallyport_webhooks", "Webhooks by state.", labels: ["state"])

    /// All of these, in the order in which they are shown.
    package static let all = [
        probeSeconds, probes, verdictChanges, handshakeAge, comparedAt, placedAt, addressRequests, addressBudget,
        addressResting, canaryRequests, canaryPassed, leakedPackets, leakedBytes, exitConnections,
        exitAttempts, exitAttemptSeconds, exitFailures, failovers,
        failoverDuration,
        rotations, events, leaderTerms,
        userBytes, userConnections, userErrors, exitBytes, usageReadings, gatewayLoads, gatewayRepairs,
        authFailures, refusedConnections, gatewayRetries, gatewayHeld,
        onDemandOpenings, onDemandRefusals, onDemandClosings, onDemandSeconds, accessLogLost, catalogServers, catalogFetched,
        catalogFetches, redisCalls,
        redisSeconds, refusedRows, engineCalls, engineSeconds, loopSeconds, loopLastRun, deliveries, deliverySeconds, waitingEvents,
        webhooks,
    ]
}
