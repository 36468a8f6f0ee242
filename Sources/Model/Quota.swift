/// A limit of a proxy user's traffic. Its text is what the gateway answers and the API shows.
package enum Quota: String, Sendable, CaseIterable {
    case day = "quota_day"
    case month = "quota_month"
    case total = "quota_total"
}
