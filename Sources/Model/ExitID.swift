/// The name of an exit, unique while it lives: its country and a small number, "us-1".
package struct ExitID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let country: CountryCode
    /// 1 to 999.
    package let number: Int

    package init(country: CountryCode, number: Int) {
        self.country = country
        self.number = number
    }

    /// Reads "us-1"; nil for anything else. `uk-1` is `gb-1`.
    package init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let country = CountryCode(String(parts[0])), let number = Int(parts[1]),
            (1...999).contains(number), String(number) == parts[1]
        else { return nil }
        self.init(country: country, number: number)
    }

    package var description: String { "\(country.lowercased)-\(number)" }

    /// Values of the labels `exit` and `country` of metrics.
    package var metricLabels: [String] { [description, country.rawValue] }

    package static func < (left: ExitID, right: ExitID) -> Bool {
        left.country == right.country ? left.number < right.number : left.country < right.country
    }
}

extension ExitID: TextCodable {
    package static let form = "an exit id like us-1"
}
