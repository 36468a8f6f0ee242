/// The keys of values that have changed and that the store does not have yet. A value, owned by whoever owns the values: each change marks
/// its key, and each write takes all marked keys.
///
/// One write is under way at a time, so that of two writes of one value the later one also arrives later. A write that fails marks its keys
/// again, but only in the value that began it: where that was replaced meanwhile, as at the end of a term, the failure changes nothing.
package struct WriteBehind<Key: Hashable & Sendable>: Sendable, Equatable {
    /// Keys that no write has taken since they last changed.
    package private(set) var pending: Set<Key> = []
    /// Keys of the write that is under way.
    package private(set) var writing: Set<Key> = []

    package init() {}

    /// True where the store has everything.
    package var isEmpty: Bool { pending.isEmpty && writing.isEmpty }

    package mutating func mark(_ key: Key) { pending.insert(key) }

    package mutating func mark(_ keys: some Sequence<Key>) { pending.formUnion(keys) }

    /// Takes the keys of the next write; none where nothing is pending or a write is under way. `end` must follow.
    package mutating func begin() -> Set<Key> {
        guard writing.isEmpty else { return [] }
        (writing, pending) = (pending, [])
        return writing
    }

    /// - Parameter keys: what `begin` has returned.
    package mutating func end(_ keys: Set<Key>, isWritten: Bool) {
        if !isWritten { pending.formUnion(keys.intersection(writing)) }
        writing.subtract(keys)
    }
}
