import Model

/// Alerts of exits and their containers.
extension Alerts {
    /// All exits degraded at once: what they have in common is at fault.
    static func commonFault(_ exits: [ExitID: Exit], _ now: Timestamp) -> Alert? {
        guard Retirement().isCommon(exits.values, now) else { return nil }
        let reasons = Set(exits.values.compactMap(\.health.reason?.rawValue)).sorted().joined(separator: ", ")
        return Alert(
            .exits, .critical, "all exits are degraded at once (\(reasons)), so only one is replaced, as a trial",
            remedy: "check what all exits use: the provider's resolver, the services of verification.urls, this machine's network",
            since: exits.values.compactMap(\.health.degradedSince).max() ?? now)
    }

    static func leak(of exit: Exit, _ now: Timestamp) -> Alert? {
        guard let failure = exit.lastFailure, failure.reason == .leak, now - failure.at < leakSeconds else { return nil }
        return Alert(
            .leak(exit.id), .critical, "exit \(exit.id) leaked and was cut off: \(failure.detail)",
            remedy: "find out who changed the exit's firewall or routes: see the engine's events and who may run programs in containers",
            since: failure.at)
    }

    static func stuck(_ container: String, _ reason: String, _ now: Timestamp) -> Alert {
        Alert(
            .container(container), .warning, "container \(container) can't be removed: \(reason)",
            remedy: "remove it by hand (docker rm -f \(container)), or restart the engine", since: now)
    }
}
