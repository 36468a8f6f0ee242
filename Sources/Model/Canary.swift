/// A target that is asked through each exit now and then, to see whether exits are known to work there: a shop, a search engine.
package struct Canary: Hashable, Sendable {
    package var name: String
    package var url: String
    /// Statuses of a good answer; empty for any of 2xx and 3xx.
    package var statuses: Set<Int>
    /// What a good answer has in its body; nil for anything.
    package var text: String?

    package init(name: String, url: String, statuses: Set<Int> = [], text: String? = nil) {
        self.name = name
        self.url = url
        self.statuses = statuses
        self.text = text
    }

    package func accepts(status: Int) -> Bool { statuses.isEmpty ? (200..<400).contains(status) : statuses.contains(status) }
}

/// What a canary's target last said to an exit.
package struct CanaryResult: Hashable, Codable, Sendable {
    package var name: String
    package var passed: Bool
    /// What came instead of a good answer; nil for one.
    package var detail: String?
    package var checkedAt: Timestamp

    package init(name: String, passed: Bool, detail: String?, checkedAt: Timestamp) {
        self.name = name
        self.passed = passed
        self.detail = detail
        self.checkedAt = checkedAt
    }

    enum CodingKeys: String, CodingKey {
        case name, passed, detail
        case checkedAt = "checked_at"
    }
}
