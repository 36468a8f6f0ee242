/// A limit of a proxy user's traffic. Its text is what the gateway answers and the API shows.
package enum Quota: String, Sendable, CaseIterable {
    case day = "quota_day"
    case month = "quota_month"
    case total = "quota_total"

    /// Its period: `day`.
    package var period: String { String(rawValue.dropFirst("quota_".count)) }
}

/// A quota of a user and what is used of it, in bytes of both directions.
package struct QuotaUse: Hashable, Sendable {
    package var quota: Quota
    package var limit: Int
    package var used: Int

    package var left: Int { max(0, limit - used) }

    package init(quota: Quota, limit: Int, used: Int) {
        self.quota = quota
        self.limit = limit
        self.used = used
    }

    /// When it begins anew, at midnight UTC; nil for one that does not.
    package func reset(after now: Timestamp) -> Timestamp? {
        switch quota {
        case .day: now.nextDay
        case .month: now.nextMonth
        case .total: nil
        }
    }
}
