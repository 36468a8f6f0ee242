import Model
import Planning

/// What the gateway has. A value.
struct GatewayState {
    /// The layout that it was last given; nil where it may have another one.
    var published: GatewayLayout?
    /// Exits that it has been seen to have; one that is proved but not here yet serves nobody. Nil where another controller publishes: then the
    /// stored state counts.
    var plugged: Set<ExitID>?
    var slots = SlotCounters()
    /// Counts the changes of users, and how many of them the gateway has.
    private(set) var usersEdition = 0
    private var publishedEdition = 0

    /// A change of users is in the store: the next publishing takes it along with all that came before.
    mutating func usersChanged() -> Int {
        usersEdition += 1
        return usersEdition
    }

    mutating func hasUsers(_ edition: Int) { publishedEdition = max(publishedEdition, edition) }
    func knowsUsers(_ edition: Int) -> Bool { publishedEdition >= edition }
}
