import Model

extension Alerts {
    /// One for each canary that is not well somewhere.
    static func alerts(_ canaries: CanaryLedger, _ now: Timestamp) -> [Alert] {
        let broken = canaries.faulty.map { name, since in
            Alert(
                .canary(name), .warning, "canary \(name) has a bad answer at every exit: \(canaries.blocked(name).detail ?? "none")",
                remedy: "check verification.canaries.\(name): its target, or what is expected of it, has changed; no exit is blamed for it",
                since: since)
        }
        let blocked = Set(canaries.blocked.values.flatMap(\.self)).map { name in
            let (exits, detail) = canaries.blocked(name)
            let names = exits.prefix(3).map(\.description).joined(separator: ", ")
            let more = exits.count > 3 ? " and \(exits.count - 3) more" : ""
            let since = exits.compactMap { exit in canaries.results(at: exit).first { $0.name == name }?.checkedAt }.min() ?? now
            return Alert(
                .canary(name), .warning, "canary \(name) is blocked at exits \(names)\(more): \(detail ?? "no good answer")",
                remedy: "these exits rank lower for new sessions; rotate them, or set verification.canary_action to replace", since: since)
        }
        return broken + blocked
    }
}
