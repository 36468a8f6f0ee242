import Model
import Planning

/// All that a controller knows and remembers in one term, which is the time in which it leads, or in which it follows one leader. A new term
/// begins with a new object and with the stored state, so that nothing of the last term can be mistaken for a fact. Confined to the
/// controller's actor. A task keeps the object of the term that has begun it, and sees by it that the term is over.
final class TermState {
    /// The controller that leads, where it is another one.
    let leader: String?
    var store = StoredStateProgress()
    /// True once the engine's containers were seen.
    var hasObserved = false

    var wallClock = WallClockSteps()
    var revisions = ExitRevisions()
    var listing: ContainerListing?
    var gateway = GatewayState()
    var host: HostReachability
    var searches = ServerSearches()
    var launches = LaunchHistory()
    var handshakes = HandshakeEvidence()
    var removals = ContainerRemovals()
    var failovers = FailoverClock()
    var onDemand = OnDemandUse()
    var addresses = AddressHoldings()
    var breakers = BreakerRegistry()
    var alerts = AlertRegistry()
    var canaries = CanaryLedger()

    init(leader: String?, recoverySeconds: Double) {
        self.leader = leader
        host = HostReachability(recoverySeconds: recoverySeconds)
    }

    /// True where the stored state was read in order to lead. Nothing is planned before.
    var isLoaded: Bool { store.isLoaded }

    /// The wall clock was set by so many seconds.
    func shift(by seconds: Double) {
        host.shift(by: seconds)
        canaries.shift(by: seconds)
        searches.shift(by: seconds)
        launches.shift(by: seconds)
        handshakes.shift(by: seconds)
        failovers.shift(by: seconds)
        onDemand.shift(by: seconds)
        breakers.shift(by: seconds)
        alerts.shift(by: seconds)
    }
}

/// What was read from the store in a term, and what it has not been told yet.
struct StoredStateProgress {
    var isLoaded = false
    /// The store's count of changes when it was last read in order to be shown; nil before, and where this controller leads.
    var shownVersion: Int?
    /// When the store was last asked who is over a quota, where another controller leads.
    var quotasReadAt: ContinuousClock.Instant?
    /// The same of what its probes say.
    var healthReadAt: ContinuousClock.Instant?
    /// When a full store has last refused a write; nil where it takes them.
    var refusedAt: ContinuousClock.Instant?
    /// Exits that it has not been told about.
    var exits = WriteBehind<ExitID>()
    /// The save of exits for which a pass did not wait any longer, and that of breakers and alerts.
    var savingExits: Task<Void, Never>?
    var savingMemories: Task<Void, Never>?
}

/// A list of containers that is on its way, maybe for longer than a pass.
struct ContainerListing {
    var task: Task<[ExitContainer], any Error>
    var requestedAt: ContinuousClock.Instant
    /// The latest change of an exit when it was requested.
    var revision: Int
}

/// Addresses that exits have, or may not be given.
struct AddressHoldings {
    var ledger = AddressLedger()
    /// False until the addresses that the gateway leads to are among them.
    var knowsGateways = false
}
