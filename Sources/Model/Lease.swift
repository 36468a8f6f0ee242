/// What a controller says when it asks for the lease, or to keep it.
package struct LeaseClaim: Sendable, Equatable {
    /// The controller's name, the same after a restart: one data folder, one name.
    package var instance: String
    /// The process's own word, new with each start.
    package var token: String
    /// The fencing number that this process held last; 0 for none.
    package var fence: Int
    /// The highest fencing number that it has seen anywhere.
    package var highest: Int
    package var milliseconds: Int
    /// True until the process has held the lease once: it may then take it from an earlier process of its own name, which
    /// the lock on the data folder proves to be dead.
    package var mayInherit: Bool

    package init(instance: String, token: String, fence: Int, highest: Int, milliseconds: Int, mayInherit: Bool) {
        self.instance = instance
        self.token = token
        self.fence = fence
        self.highest = highest
        self.milliseconds = milliseconds
        self.mayInherit = mayInherit
    }
}

/// Who holds the lease now.
package struct LeaseAnswer: Sendable, Equatable {
    package var isOurs: Bool
    /// The holder's fencing number. One that is the claim's own means that nobody else has held the lease since.
    package var fence: Int
    package var holder: String
    /// Grows with each change of pools, exits and users in the store.
    package var version: Int

    /// The store knew of no number as high as the claim's: it has lost what it held.
    package var hasForgotten: Bool

    package init(isOurs: Bool, fence: Int, holder: String, version: Int, hasForgotten: Bool = false) {
        self.isOurs = isOurs
        self.fence = fence
        self.holder = holder
        self.version = version
        self.hasForgotten = hasForgotten
    }
}
