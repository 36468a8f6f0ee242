package import Planning

/// The intervals, deadlines and limits of a `Controller`.
package struct ControllerSettings: Sendable {
    package var rules: Planner.Rules
    /// Seconds between passes when nothing wakes the loop.
    package var passSeconds: Double
    package var probing: ProbeSettings
    /// Servers that must refuse a provider's key, one after the other, for the key to be at fault.
    package var serversUntilCredential = 3
    /// Seconds that a new exit has to prove itself.
    package var verifySeconds: Double
    /// Seconds that exits have to recover by themselves once the machine is online again.
    package var recoverySeconds: Double
    /// Seconds that a change waits for the controller that leads: longer than a take-over takes.
    package var commandSeconds: Double
    /// Seconds that a change of users waits for the gateway to have it, and for one that is away to come back.
    package var usersSeconds = 10.0
    package var usersSecondsIfAway = 2.0
    /// Seconds between two questions of one that follows who is over a quota.
    package var quotaSeconds = 2.0
    /// Seconds that a pass waits for the engine's list, and for the store to have what it has planned; then it goes on without.
    package var listSeconds = 1.0
    /// Seconds without a list after which the engine counts as one that does not answer.
    package var engineHangSeconds = 3.0
    package var saveSeconds = 0.5
    /// Seconds without a finished pass after which the loop counts as standing still.
    package var standstillSeconds = 30.0
    /// Seconds between two tries to remove a container that resists, times the number of tries, up to a minute.
    package var removalSeconds = 2.0
    /// Seconds in which a store that was full must take all writes to be well again.
    package var roomSeconds = 10.0
    /// The name that an exit looks up through its tunnel before its proxy opens.
    package var checkName: String
    /// False where an exit is kept though the internet sees it in another country.
    package var countryMustMatch = true
    package var canaries = CanarySettings()

    package init(
        rules: Planner.Rules = .init(), passSeconds: Double = 1, probeSeconds: Double = 0.5, probesPerSecond: Double = 200,
        deepSeconds: Double = 15, historySeconds: Double = 10, verifySeconds: Double = 15, recoverySeconds: Double = 15,
        commandSeconds: Double = 15,
        checkName: String
    ) {
        self.rules = rules
        self.passSeconds = passSeconds
        probing = ProbeSettings(
            probeSeconds: probeSeconds, probesPerSecond: probesPerSecond, deepSeconds: deepSeconds, historySeconds: historySeconds)
        self.verifySeconds = verifySeconds
        self.recoverySeconds = recoverySeconds
        self.commandSeconds = commandSeconds
        self.checkName = checkName
    }
}
