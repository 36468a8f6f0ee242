import Model

/// Countries as people type them: `us`, `germany`, `united-states`.
enum CountryWords {
    static let codes = CountryCode.all.map(\.lowercased)

    /// - Parameter field: what is to be named where it is none: an option.
    static func country(_ text: String, _ field: String? = nil) throws -> CountryCode {
        if let country = read(text) { return country }
        let names = CountryCode.all.map { $0.name.lowercased() }
        let meant = Suggestion.words(for: text, among: names)
        throw UsageError(
            message:
                "\(field.map { "\($0) is \(text)" } ?? "'\(text)' is not a country"), expected a code like us or a name like germany\(meant)"
        )
    }

    private static func read(_ text: String) -> CountryCode? {
        CountryCode(text) ?? CountryCode(named: text) ?? CountryCode(named: text.replacing("-", with: " ").replacing("_", with: " "))
    }
}
