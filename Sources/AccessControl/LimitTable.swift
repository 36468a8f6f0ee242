/// What limits remember of each identity, up to a number of them. Every operation looks at a bounded number of places, however many
/// identities there are.
///
/// A new identity that finds the table full takes the place of one that has used less of its limit than its neighbours. One that is at
/// its limit keeps its place: nobody is let off by asking under many other names.
struct LimitTable {
    struct Entry {
        var window: Int
        var count = 0
        var before = 0
        /// Let in here, and not shared yet.
        var unshared = 0
        var isDirty = false
        /// The limit that it was last held to.
        var limit: Int

        /// At most what it has used, as of a window.
        func used(in window: Int) -> Int { self.window == window ? count + before : self.window == window - 1 ? count : 0 }
    }

    /// Places that are looked at for one to give up, and until one is found.
    private static let compared = 8
    private static let searched = 64

    let capacity: Int
    private var slots: [(identity: String, entry: Entry)] = []
    private var places: [String: Int] = [:]
    private var hand = 0
    /// Places that were looked at beside those asked for.
    private(set) var looks = 0

    init(capacity: Int) { self.capacity = capacity }

    var count: Int { slots.count }
    subscript(identity: String) -> Entry? { places[identity].map { slots[$0].entry } }
    /// Identities whose entry has counts to share.
    var dirty: [String] { slots.filter(\.entry.isDirty).map(\.identity) }

    /// Changes an identity's entry in place.
    /// - Returns: nil where it has none.
    mutating func change<Result>(_ identity: String, _ body: (inout Entry) -> Result) -> Result? {
        guard let place = places[identity] else { return nil }
        return body(&slots[place].entry)
    }

    /// False where no place is free, nor one that may be given up.
    mutating func add(_ identity: String, _ entry: Entry) -> Bool {
        dropOld(before: entry.window - 1)
        guard slots.count < capacity || makeRoom(in: entry.window) else { return false }
        places[identity] = slots.count
        slots.append((identity, entry))
        return true
    }

    mutating func remove(_ identity: String) {
        if let place = places[identity] { remove(at: place) }
    }

    /// Two for each that comes, so that the table grows small again.
    private mutating func dropOld(before window: Int) {
        for _ in 0..<2 where !slots.isEmpty {
            if nextIsOld(before: window) { remove(at: hand) } else { hand += 1 }
        }
    }

    private mutating func makeRoom(in window: Int) -> Bool {
        var least: (place: Int, share: Double)?
        for step in 1...Self.searched {
            if nextIsOld(before: window - 1) {
                remove(at: hand)
                return true
            }
            let entry = slots[hand].entry
            let share = Double(entry.used(in: window)) / Double(max(1, entry.limit))
            if share < min(1, least?.share ?? 1) { least = (hand, share) }
            hand += 1
            guard let least, step >= Self.compared else { continue }
            remove(at: least.place)
            return true
        }
        return false
    }

    private mutating func nextIsOld(before window: Int) -> Bool {
        if hand >= slots.count { hand = 0 }
        looks += 1
        return slots[hand].entry.window < window
    }

    private mutating func remove(at place: Int) {
        places[slots[place].identity] = nil
        let last = slots.removeLast()
        guard place < slots.count else { return }
        slots[place] = last
        places[last.identity] = place
    }
}
