import HTTPServing
import Model
import OpenAPI

/// What a user or an exit has used, as both are told.
struct UsagePeriods: Encodable {
    struct Period: Encodable {
        let from: String
        let bytesIn: Int
        let bytesOut: Int
        let connections: Int
        let errors: Int
        let countries: [String: Usage]?

        init(_ period: UsagePeriod) {
            from = period.from
            bytesIn = period.sum.bytesIn
            bytesOut = period.sum.bytesOut
            connections = period.sum.connections
            errors = period.sum.errors
            countries = period.countries
        }
    }

    let total: Period
    let today: Period
    let month: Period
    let days: [Period]
    let hours: [Period]

    init(_ report: UsageReport) {
        total = Period(report.total)
        today = Period(report.today)
        month = Period(report.month)
        days = report.days.map(Period.init)
        hours = report.hours.map(Period.init)
    }

    static let query = [
        Parameter("hours", .whole(0...168, 24), "how many hours to show"), Parameter("days", .whole(0...92, 31), "how many days to show"),
    ]

    /// How many hours and days are asked for.
    static func span(of request: ServerRequest) -> (hours: Int, days: Int) {
        (request.query("hours").flatMap { Int($0) } ?? 24, request.query("days").flatMap { Int($0) } ?? 31)
    }
}

/// What a proxy user has used.
struct UserUsageView: Encodable {
    let user: ProxyUser
    let report: UsageReport

    private enum Keys: String, CodingKey { case name, limits }

    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Keys.self)
        try fields.encode(user.name, forKey: .name)
        try fields.encode(user.limits, forKey: .limits)
        try UsagePeriods(report).encode(to: encoder)
    }
}

/// What an exit has carried.
struct ExitUsageView: Encodable {
    let id: ExitID
    let report: UsageReport

    private enum Keys: String, CodingKey { case exit, id }

    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Keys.self)
        try fields.encode(id.description, forKey: .exit)
        try fields.encode(id.description, forKey: .id)
        // Of one exit there is one country.
        try UsagePeriods(report.withoutCountries).encode(to: encoder)
    }
}

extension UsageReport {
    fileprivate var withoutCountries: UsageReport {
        func bare(_ period: UsagePeriod) -> UsagePeriod { UsagePeriod(from: period.from, sum: period.sum) }
        return UsageReport(total: bare(total), today: bare(today), month: bare(month), days: days.map(bare), hours: hours.map(bare))
    }
}
