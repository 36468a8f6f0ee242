import Model
import Planning

/// Whether exits fail for a reason that they share: this machine has lost the internet, or no tunnel works at all. Then no exit is moved. A value;
/// time is an input.
struct HostReachability {
    enum Problem: Error, CustomStringConvertible {
        case offline, tunnelsDown

        var description: String {
            switch self {
            case .offline: "this machine has lost its internet connection, so no exit is replaced; check its network"
            case .tunnelsDown:
                "all exits fail at once, so only one is replaced, as a trial; check that outgoing UDP is allowed, and the provider's account"
            }
        }
    }

    enum Finding {
        /// Nothing was checked.
        case unknown
        case well
        /// Exits that may share a fault have to be probed first.
        case undecided
        case trouble(Problem)
    }

    struct Verdict {
        var finding: Finding
        /// True where each exit's own failures count.
        var isOnline: Bool
        /// True where all exits are to be probed at once.
        var wantsProbes = false
    }

    /// Seconds for which the answer to a check is good.
    private static let checkSeconds = 2.0
    /// Servers that must be in use before a common fault is thought of.
    private static let serversOfOneFault = 3

    /// Seconds that exits have to recover once this machine is online again.
    let recoverySeconds: Double
    private(set) var isUndecided = false
    private(set) var isInTrouble = false
    private var lastCheck: (isOnline: Bool, at: Timestamp)?
    /// When the machine was seen online again.
    private var returnedAt: Timestamp?
    /// Since when all exits fail at once while this machine is online.
    private(set) var allFailedAt: Timestamp?

    init(recoverySeconds: Double) { self.recoverySeconds = recoverySeconds }

    /// True where the address services are to be asked without a tunnel: an exit seems dead, and the last answer is old.
    func needsCheck(_ exits: [ExitID: Exit], now: Timestamp) -> Bool {
        Self.hasDead(exits) && lastCheck.map { now - $0.at >= Self.checkSeconds } ?? true
    }

    mutating func checked(isOnline: Bool, now: Timestamp) { lastCheck = (isOnline, now) }

    mutating func judge(_ exits: [ExitID: Exit], now: Timestamp) -> Verdict {
        let verdict = verdict(on: exits, now)
        switch verdict.finding {
        case .trouble: isInTrouble = true
        case .well: isInTrouble = false
        case .unknown, .undecided: break
        }
        if case .undecided = verdict.finding { isUndecided = true } else { isUndecided = false }
        return verdict
    }

    private mutating func verdict(on exits: [ExitID: Exit], _ now: Timestamp) -> Verdict {
        guard Self.hasDead(exits) else {
            (returnedAt, allFailedAt) = (nil, nil)
            // Nobody was asked; but traffic that comes back proves the same.
            let isProved = exits.values.contains { $0.state.takesTraffic && $0.health.verdict == .healthy }
            return Verdict(finding: isProved || isInTrouble ? .well : .unknown, isOnline: true)
        }
        guard lastCheck?.isOnline ?? true else {
            (returnedAt, allFailedAt) = (nil, nil)
            return Verdict(finding: .trouble(.offline), isOnline: false)
        }
        switch commonFault(of: exits, now) {
        case .undecided(let wantsProbes): return Verdict(finding: .undecided, isOnline: false, wantsProbes: wantsProbes)
        case .certain:
            if allFailedAt == nil { allFailedAt = now }
            return Verdict(finding: .trouble(.tunnelsDown), isOnline: false)
        case .none: break
        }
        // What still fails gets a while to recover, and a short one where a trial has shown that another server helps.
        if isInTrouble { returnedAt = now + (trialHasWorked(exits) ? min(0, 2 - recoverySeconds) : 0) }
        allFailedAt = nil
        return Verdict(finding: .well, isOnline: returnedAt.map { now - $0 >= recoverySeconds } ?? true, wantsProbes: isInTrouble)
    }

    private static func hasDead(_ exits: [ExitID: Exit]) -> Bool {
        exits.values.contains { $0.state.takesTraffic && $0.health.verdict == .dead }
    }

    private enum CommonFault {
        case none, certain
        case undecided(wantsProbes: Bool)
    }

    /// Whether so many exits fail at once, and no other one is well, that none of their servers can be to blame. Undecided until each has been
    /// probed since the first of them failed.
    private func commonFault(of exits: [ExitID: Exit], _ now: Timestamp) -> CommonFault {
        let probed = exits.values.filter(\.state.isProbed)
        guard allFailedAt != nil || Set(probed.compactMap(\.server?.address)).count >= Self.serversOfOneFault else { return .none }
        let dead = probed.filter { $0.health.verdict == .dead && !$0.health.isCertain }
        guard let first = dead.compactMap(\.health.degradedSince).min() else { return .none }
        var isDecided = true
        for exit in probed where exit.health.verdict != .dead && exit.health.failures == 0 {
            guard exit.health.checkedAt.map({ $0 < first }) ?? true, now - first < 2 else { return .none }
            isDecided = false
        }
        return isDecided && !dead.isEmpty ? .certain : .undecided(wantsProbes: !isDecided)
    }

    /// The one exit that is moved although all fail: if another server serves it, the others follow at once.
    func trial(_ exits: [ExitID: Exit], now: Timestamp) -> ExitID? {
        guard let allFailedAt, now - allFailedAt >= recoverySeconds else { return nil }
        let waits = exits.values.contains { !$0.state.isProbed && !$0.leaving && $0.state != .draining && $0.state != .stopped }
        return waits ? nil : exits.values.filter { $0.health.verdict == .dead }.map(\.id).min()
    }

    private func trialHasWorked(_ exits: [ExitID: Exit]) -> Bool {
        guard let allFailedAt else { return false }
        return exits.values.contains { $0.health.verdict == .healthy && $0.proof.at.map { $0 >= allFailedAt } ?? false }
    }

    /// The wall clock was set by so many seconds.
    mutating func shift(by seconds: Double) {
        returnedAt = returnedAt.map { $0 + seconds }
        allFailedAt = allFailedAt.map { $0 + seconds }
        lastCheck = lastCheck.map { ($0.isOnline, $0.at + seconds) }
    }
}
