package import Model

/// Whether a provider's new list can be believed beside the one that we have. Pure.
package enum ListComparison {
    /// Share of the servers that may be gone from one list to the next.
    package static let tolerableLoss = 0.3
    /// A country with fewer servers may vanish without a word.
    package static let notableCountry = 3

    /// What makes the new list look cut short, in words; nil where nothing does.
    /// - Parameter unreadable: rows of it that are not of the shape that we know. Where there is no old list to compare with, these tell.
    package static func suspicion(old: [Server], new: [Server], unreadable: Int = 0) -> String? {
        guard !old.isEmpty else {
            return unreadable > new.count ? "\(unreadable) of its rows can't be read, and \(new.count) can" : nil
        }
        let loss = 1 - Double(new.count) / Double(old.count)
        if loss > tolerableLoss { return "it has \(new.count) servers where there were \(old.count)" }
        let lost = lostCountries(old: old, new: new)
        return lost.isEmpty ? nil : "it has lost \(lost.map(\.rawValue).joined(separator: ", "))"
    }

    /// Countries with several servers that the new list has none in.
    package static func lostCountries(old: [Server], new: [Server]) -> [CountryCode] {
        let present = Set(new.map(\.country))
        let counts = Dictionary(grouping: old, by: \.country).mapValues(\.count)
        return counts.filter { $0.value >= notableCountry && !present.contains($0.key) }.keys.sorted()
    }
}
