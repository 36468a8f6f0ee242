package import Model
import Planning
package import Platform

/// Counts what the gateway has carried.
package protocol UsageSource: Sendable {
    /// Every counter, and whether nobody was missing.
    func usage() async throws -> (reading: UsageReading, isWhole: Bool)
    /// Ends the running connections of these users; how many there were.
    func cut(_ users: Set<String>) async throws -> Int
}

/// Keeps what was used.
package protocol UsageStore: Sendable {
    /// Adds what is new in a reading, once; what it was for each user.
    func add(_ reading: UsageReading, isWhole: Bool, now: Timestamp) async throws -> [String: Usage]
    func sums(of users: [String], now: Timestamp) async throws -> [String: (day: Usage, month: Usage, total: Usage)]
}

/// Gathers usage from the gateway into the store, once a second, and holds users to their quotas.
package struct UsageMeter: Sendable {
    private let source: any UsageSource
    private let store: any UsageStore
    private let controller: Controller
    private let log: Log

    package init(source: any UsageSource, store: any UsageStore, controller: Controller, log: Log) {
        self.source = source
        self.store = store
        self.controller = controller
        self.log = log
    }

    /// Runs until it is cancelled.
    package func run(seconds: Double = 1) async {
        var trouble: String?
        while !Task.isCancelled {
            do {
                try await collect()
                if trouble != nil { log.info("usage is gathered again") }
                trouble = nil
            } catch {
                // Nothing is lost: the counters count on, and are read when both ends answer again.
                let words = "\(error)"
                if trouble == nil, !Task.isCancelled { log.warning("usage can't be gathered", ["error": words]) }
                trouble = words
            }
            try? await Task.sleep(for: .seconds(seconds))
        }
    }

    /// One collection.
    package func collect() async throws {
        let users = controller.snapshot.desired.users
        guard !users.isEmpty else { return }
        let (reading, isWhole) = try await source.usage()
        let now = SystemClock.now()
        _ = try await store.add(reading, isWhole: isWhole, now: now)
        let limited = users.filter { $0.limits.hasQuota }
        let sums = try await store.sums(of: limited.map(\.name), now: now)
        var blocked: [String: String] = [:]
        for user in limited { blocked[user.name] = sums[user.name].flatMap { user.limits.exceeded(by: $0) } }
        let before = controller.snapshot.desired.blocked
        await controller.block(blocked)
        // Connections that got in before the gateway knew are found by the next collections.
        let cut = try await source.cut(Set(blocked.keys))
        for (name, quota) in blocked where before[name] == nil {
            log.info("a user is over a quota", ["user": name, "quota": quota, "cut": "\(cut)"])
        }
    }
}

extension ProxyUser.Limits {
    fileprivate var hasQuota: Bool { bytesPerDay != nil || bytesPerMonth != nil || bytesTotal != nil }

    /// The quota that is used up, as users are told; nil for none.
    fileprivate func exceeded(by used: (day: Usage, month: Usage, total: Usage)) -> String? {
        if let bytesTotal, used.total.bytes >= bytesTotal { return "quota_total" }
        if let bytesPerMonth, used.month.bytes >= bytesPerMonth { return "quota_month" }
        if let bytesPerDay, used.day.bytes >= bytesPerDay { return "quota_day" }
        return nil
    }
}
