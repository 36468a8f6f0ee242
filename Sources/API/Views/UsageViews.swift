import HTTPServing
import Model
import OpenAPI

/// How far back a usage is shown.
enum UsageSpan {
    static let query = [
        Parameter("hours", .whole(0...168, 24), "how many hours to show"), Parameter("days", .whole(0...92, 31), "how many days to show"),
    ]

    /// How many hours and days are asked for.
    static func span(of request: ServerRequest) -> (hours: Int, days: Int) {
        (request.whole("hours") ?? 24, request.whole("days") ?? 31)
    }
}

extension UsageReport {
    func fields(of user: ProxyUser) -> Fields { fields(after: [("name", user.name), ("limits", user.limits)], showsCountries: true) }

    /// Without countries: an exit has one.
    func fields(of id: ExitID) -> Fields { fields(after: [("exit", id.description), ("id", id.description)], showsCountries: false) }

    func fields(after owner: [(name: String, value: (any Encodable)?)], showsCountries: Bool) -> Fields {
        func shown(_ period: UsagePeriod) -> Fields {
            Fields([
                "from": period.from, "bytes_in": period.sum.bytesIn, "bytes_out": period.sum.bytesOut,
                "connections": period.sum.connections, "errors": period.sum.errors, "countries": showsCountries ? period.countries : nil,
            ])
        }
        return Fields(
            owner + [
                ("total", shown(total)), ("today", shown(today)), ("month", shown(month)), ("days", days.map(shown)),
                ("hours", hours.map(shown)),
            ])
    }
}
