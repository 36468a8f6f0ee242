/// What the holder of an API key may do; each role includes the ones before it.
package enum Role: String, Sendable, CaseIterable, Comparable, Codable {
    case viewer, `operator`, admin

    package static func < (left: Role, right: Role) -> Bool {
        (allCases.firstIndex(of: left) ?? 0) < (allCases.firstIndex(of: right) ?? 0)
    }
}
