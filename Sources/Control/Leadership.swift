package import Model
package import Platform
import Synchronization

/// Holds the lease of the one controller that may act, for all controllers of one store.
package protocol LeaseStore: Sendable {
    func claim(_ claim: LeaseClaim) async throws -> LeaseAnswer
    func resign(token: String) async throws
}

/// This controller may not act: another one does, or may by now.
package struct NotLeader: Error, CustomStringConvertible {
    /// Who leads, where it is known.
    package var leader: String?
    package init(leader: String? = nil) { self.leader = leader }
    package var description: String {
        leader.map { "controller \($0) leads" } ?? "no lease: it could not be renewed, and another controller may lead by now"
    }
}

/// Whether this controller may act, and until when: what its lease is worth by its own clock.
///
/// The clock goes on while the process is stopped or the machine sleeps, and it is read before a claim is sent: so the lease
/// always ends here before it ends in the store, where another controller can take it.
package final class Leadership: Sendable {
    package struct Settings: Sendable {
        /// The controller's name, the same after a restart.
        package var instance: String
        /// False where no other controller can have this store: then the lease has no end while the store is away.
        package var isShared: Bool
        /// Seconds that a claim is good for, between two claims of the leader, and of one that waits.
        package var leaseSeconds: Double
        package var renewSeconds: Double
        package var followSeconds: Double

        package init(
            instance: String, isShared: Bool, leaseSeconds: Double = 5, renewSeconds: Double = 1.5, followSeconds: Double = 1
        ) {
            self.instance = instance
            self.isShared = isShared
            self.leaseSeconds = leaseSeconds
            self.renewSeconds = renewSeconds
            self.followSeconds = followSeconds
        }
    }

    /// What a claim has led to.
    package enum Outcome: Sendable {
        /// We lead. `isNew`: somebody else may have led since we last did, or nobody ever has. `isForgotten`: the store has lost
        /// what it held.
        case leads(isNew: Bool, isForgotten: Bool)
        case follows(leader: String, version: Int)
        /// The store does not answer; `warrant()` knows for how long we may go on.
        case unanswered(any Error)
    }

    private struct State {
        var fence = 0
        var highest = 0
        /// Nil where we don't hold it.
        var until: ContinuousClock.Instant?
        var leader: String?
        var term = 0
    }

    package let settings: Settings
    private let store: (any LeaseStore)?
    private let time: any TimeSource
    private let token = Digest.randomHex(bytes: 16)
    private let state = Mutex(State())

    package init(_ settings: Settings, store: any LeaseStore, time: any TimeSource = SystemTime()) {
        self.settings = settings
        self.store = store
        self.time = time
    }

    private init() {
        settings = Settings(instance: "alone", isShared: false)
        store = nil
        time = SystemTime()
    }

    /// For a controller without a lease, which always may act.
    package static var alone: Leadership { Leadership() }

    package var isAlone: Bool { store == nil }

    /// The fencing number under which we may act at this moment. It is to be asked right before each act.
    /// - Throws: `NotLeader`
    @discardableResult
    package func warrant() throws -> Int {
        guard !isAlone else { return 0 }
        return try state.withLock { state in
            guard let until = state.until, time.instant < until || !settings.isShared else { throw NotLeader(leader: state.leader) }
            return state.fence
        }
    }

    package var isLeader: Bool { (try? warrant()) != nil }
    /// The number that we held last, also where we may not act under it any more; 0 for none.
    package var fence: Int { state.withLock { $0.fence } }
    /// The fencing number of whoever leads, as the last claim was answered; 0 before the first answer.
    package var term: Int { state.withLock { $0.term } }
    /// The controller that leads, where it is another one.
    package var leader: String? { state.withLock { $0.leader } }

    /// Somebody acts under this number, as the world shows. A higher one than ours ends our lease at once.
    package func observed(fence: Int) {
        guard !isAlone else { return }
        state.withLock { state in
            state.highest = max(state.highest, fence)
            if fence > state.fence { state.until = nil }
        }
    }

    /// Asks for the lease, or to keep it.
    package func claim() async -> Outcome {
        guard let store else { return .leads(isNew: false, isForgotten: false) }
        let (last, highest) = state.withLock { ($0.fence, $0.highest) }
        // A fifth less than the store is told: clocks don't run alike.
        let until = time.instant + .seconds(settings.leaseSeconds * 0.8)
        let claim = LeaseClaim(
            instance: settings.instance, token: token, fence: last, highest: highest,
            milliseconds: Int(settings.leaseSeconds * 1000), mayInherit: last == 0)
        let answer: LeaseAnswer
        do { answer = try await store.claim(claim) } catch { return .unanswered(error) }
        return state.withLock { state in
            state.highest = max(state.highest, answer.fence)
            state.until = answer.isOurs ? until : nil
            state.leader = answer.isOurs ? nil : answer.holder
            state.term = answer.fence
            guard answer.isOurs else { return .follows(leader: answer.holder, version: answer.version) }
            state.fence = answer.fence
            return .leads(isNew: answer.fence != last, isForgotten: answer.hasForgotten)
        }
    }

    /// Gives the lease up, if it is ours.
    package func resign() async {
        state.withLock { $0.until = nil }
        try? await store?.resign(token: token)
    }
}
