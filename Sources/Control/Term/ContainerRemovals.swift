/// Removals of containers that are under way, and how often they were refused. A value.
struct ContainerRemovals {
    /// Refusals in a row after which a human is called.
    static let triesUntilStuck = 3

    private(set) var underWay: Set<String> = []
    private var tries: [String: Int] = [:]

    /// False where this container is being removed already.
    mutating func begin(_ container: String) -> Bool { underWay.insert(container).inserted }

    mutating func end(_ container: String) { underWay.remove(container) }

    mutating func succeeded(_ container: String) { tries[container] = nil }

    /// Returns how often in a row it was refused.
    mutating func refused(_ container: String) -> Int {
        tries[container, default: 0] += 1
        return tries[container] ?? 1
    }

    /// Forgets containers that are gone.
    mutating func forget(allBut present: Set<String>) { tries = tries.filter { present.contains($0.key) } }
}
