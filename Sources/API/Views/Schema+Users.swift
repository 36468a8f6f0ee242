import Model
import OpenAPI

/// Proxy users, and what they and exits have used.
extension Schema {
    static let user = ShownUser.view.schema
    static let users = named("Users", .always("users", .list(.user)))
    static let usage = named(
        "Usage",
        .object(usageFields))
    static let usagePeriod = named(
        "UsagePeriod",
        .object(
            [.always("from", .text("2026-11-21T01"), "a day or an hour in UTC; empty for all time")] + usageFields + [
                .maybe("countries", .map(.usage, key: "US"), "by country")
            ]))
    static let userUsage = named(
        "UserUsage",
        .object([.always("name", .text("alice")), .always("limits", userLimits)] + usagePeriods()))
    static let exitUsage = named(
        "ExitUsage",
        .object([exitName, exitName.old("id")] + usagePeriods(showing: ["countries": nil])))
    private static let exitName = Field.always("exit", .text("us-1"))
    static func usagePeriods(showing changes: [String: Document?] = [:]) -> [Field] {
        func period(_ from: String) -> Schema { usagePeriod.showing(["from": .string(from)].merging(changes) { $1 }) }
        return [
            .always("total", period("")), .always("today", period("2026-11-21")), .always("month", period("2026-11")),
            .always("days", .list(period("2026-11-21"))), .always("hours", .list(period("2026-11-21T01"))),
        ]
    }
    private static let usageFields: [Field] = [
        .always("bytes_in", .whole(1042), "from clients to targets"), .always("bytes_out", .whole(90_210), "from targets to clients"),
        .always("connections", .whole(3), "requests and tunnels"),
        .always("errors", .whole(0), "requests and tunnels that an exit or a target failed"),
    ]
    static let userLimits = Schema.object(limitFields)
    /// As they are changed: null takes one away, or all.
    static let userLimitChanges = Schema.object(limitFields.map { .maybe($0.name, $0.schema.orNull, $0.about) }).orNull
    private static let limitFields: [Field] = [
        .maybe("connections", .whole(1...1_000_000, 100), "at once"), .maybe("connections_per_second", .whole(1...1_000_000, 20)),
        .maybe("bytes_per_day", .whole(1...9_007_199_254_740_991, 1_000_000_000), "both directions; days and months of UTC"),
        .maybe("bytes_per_month", .whole(1...9_007_199_254_740_991, 10_000_000_000)),
        .maybe("bytes_total", .whole(1...9_007_199_254_740_991, 100_000_000_000)),
    ]
}
