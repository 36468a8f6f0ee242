package import Model
import Planning
package import Platform

/// Counts what the gateway has carried.
package protocol UsageSource: Sendable {
    /// Every counter, and whether nobody was missing; nil before the gateway was given anything.
    func usage() async throws -> (reading: UsageReading, isWhole: Bool)?
    /// How many connections each user has; one without any is not in it.
    func openByUser() async throws -> [String: Int]
    /// Ends the running connections of these users; how many there were.
    func cut(_ users: Set<String>) async throws -> Int
    /// Takes what users with quotas have used of them, by name, for the users to see.
    func tell(_ quotas: [String: [QuotaUse]], now: Timestamp) async throws
}

/// Keeps what was used.
package protocol UsageStore: Sendable {
    /// Adds what is new in a reading, once.
    func add(_ reading: UsageReading, isWhole: Bool, now: Timestamp) async throws
    /// By name, what these users have used today, this month and ever.
    func sums(of users: [ProxyUser], now: Timestamp) async throws -> [String: (day: Usage, month: Usage, total: Usage)]
    /// Forgets the totals of all others.
    func forget(allBut users: [ProxyUser]) async throws
    /// Keeps what is carried now, by `exit:ID` and `user:NAME`, for a few seconds.
    func save(_ traffic: [String: CurrentTraffic]) async throws
}

/// Gathers usage from the gateway into the store, once a second, holds users to their quotas, and cuts the connections of
/// those who may not have any.
package actor UsageMeter {
    private let source: any UsageSource
    private let store: any UsageStore
    private let controller: Controller
    private let log: Log
    /// Whose totals were kept when others were last forgotten.
    private var accounts: Set<UserAccount>?
    private var tally = UsageTally()
    private var rates = TrafficRates()

    package init(source: any UsageSource, store: any UsageStore, controller: Controller, log: Log) {
        self.source = source
        self.store = store
        self.controller = controller
        self.log = log
    }

    /// Runs until it is cancelled.
    package func run(seconds: Double = 1) async {
        var isInTrouble = false
        while !Task.isCancelled {
            do {
                try await collect()
                Metrics.usageReadings.add(1, "ok")
                if isInTrouble { log.info("usage is collected again") }
                isInTrouble = false
            } catch {
                if !Task.isCancelled { Metrics.usageReadings.add(1, "failed") }
                // Nothing is lost: the counters count on, and are read when both ends answer again.
                if !isInTrouble, !Task.isCancelled { log.warning("usage can't be collected", ["error": "\(error)"]) }
                isInTrouble = true
            }
            try? await controller.ports.sleep(seconds: seconds)
        }
    }

    /// One collection. A controller that does not lead, or has not given the gateway its users yet, gathers nothing.
    package func collect() async throws {
        // What another leader has counted meanwhile is in its own figures.
        if !controller.ports.leadership.isLeader { (tally, rates) = (UsageTally(), TrafficRates()) }
        guard await controller.knownUsers() != nil, let (reading, isWhole) = try await source.usage() else { return }
        let now = controller.ports.now()
        try await store.add(reading, isWhole: isWhole, now: now)
        guard let users = await controller.knownUsers() else { return }
        rates.take(tally.take(reading, isWhole: isWhole, users: users), now: controller.ports.instant)
        if accounts != Set(users.map(\.account)) {
            try await store.forget(allBut: users)
            accounts = Set(users.map(\.account))
        }
        let limited = users.filter(\.limits.hasQuota)
        let sums = try await store.sums(of: limited, now: now)
        var blocked: [UserAccount: Quota] = [:]
        for user in limited { blocked[user.account] = sums[user.name].flatMap { user.limits.exceeded(by: $0) } }
        let before = controller.snapshot.desired.blocked
        await controller.block(blocked)
        for (name, quota) in controller.snapshot.desired.blocked.sorted(by: { $0.key < $1.key }) where before[name] == nil {
            log.info("a user is over a quota", ["user": name, "quota": quota.rawValue])
        }
        let quotas = limited.map { user in (user.name, sums[user.name].map(user.limits.quotas) ?? []) }
        // Only shown there: the next collection tells it again.
        try? await source.tell(Dictionary(quotas, uniquingKeysWith: { $1 }), now: now)
        let open = try await source.openByUser()
        try await cutOthers(active: Set(open.keys))
        try await store.save(rates.traffic(openByUser: open, openByExit: reading.openByExit, now: controller.ports.instant))
    }

    /// Ends the connections of users who were removed, disabled, have expired or are over a quota. Those that got in before
    /// the gateway knew are found by the next collections.
    private func cutOthers(active: Set<String>) async throws {
        // Asked after the connections: a user who is new by then is among them.
        guard !active.isEmpty, let users = await controller.knownUsers() else { return }
        let (now, blocked) = (controller.ports.now(), controller.snapshot.desired.blocked)
        let admitted = Set(users.filter { $0.isAdmitted(now: now) && blocked[$0.name] == nil }.map(\.name))
        let out = active.subtracting(admitted)
        guard !out.isEmpty else { return }
        let count = try await source.cut(out)
        if count > 0 { log.info("cut connections", ["users": out.sorted().joined(separator: " "), "count": "\(count)"]) }
    }
}
