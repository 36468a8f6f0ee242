package import Model

/// The list `servers.yaml` beside WireGuard files: `office.conf: de`, or `office.conf: {country: de, city: Berlin}`.
package struct NamedPlaces: Sendable, Equatable {
    struct Place: Sendable, Equatable {
        var country: CountryCode?
        var city: String?
    }

    /// By the files' names.
    private(set) var places: [String: Place] = [:]
    /// What can't be read of it, in words.
    package private(set) var problems: [String] = []

    package static let file = "servers.yaml"

    package init() {}

    /// There is a list, and it is none.
    package init(problem: String) { problems = [problem] }

    package init(_ document: Document) {
        if case .null = document { return }
        guard case .object(let entries) = document else {
            problems = ["is no list of files, expected lines like \"office.conf: de\""]
            return
        }
        for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
            let shown = FileText.quoted(name)
            switch entry {
            case .string(let text): take(["country": .string(text)], name, shown)
            case .object(let fields): take(fields, name, shown)
            default: problems.append("\(shown) has no country, expected a code like us")
            }
        }
    }

    private mutating func take(_ fields: [String: Document], _ name: String, _ shown: String) {
        var place = Place()
        for (field, value) in fields.sorted(by: { $0.key < $1.key }) {
            guard case .string(let text) = value else {
                problems.append("\(shown): \(FileText.quoted(field)) is no text")
                continue
            }
            switch field {
            case "country":
                place.country = CountryCode(text) ?? CountryCode(named: text)
                if place.country == nil { problems.append("\(shown): \(FileText.quoted(text)) is no country, expected a code like us") }
            case "city":
                place.city = ServerPlace.plain(text)
                if place.city == nil { problems.append("\(shown): the city can't be read") }
            default: problems.append("\(shown): \(FileText.quoted(field)) is unknown, expected country or city")
            }
        }
        places[name] = place
    }
}
