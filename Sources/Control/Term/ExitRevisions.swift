import Model

/// Numbers the changes of exits, so that an observation of the world can be told from what changed after it began. In memory only.
struct ExitRevisions {
    /// The number of the latest change.
    private(set) var latest = 0
    private var numbers: [ExitID: Int] = [:]

    mutating func changed(_ id: ExitID) {
        latest += 1
        numbers[id] = latest
    }

    /// True where an observation that began at this number says nothing about the exit.
    func isNewer(_ id: ExitID, than number: Int) -> Bool { numbers[id].map { $0 > number } ?? false }

    /// The exits that changed after this number.
    func newer(than number: Int) -> Set<ExitID> { Set(numbers.lazy.filter { $0.value > number }.map(\.key)) }

    /// No observation that is under way began before this number.
    mutating func forget(upTo number: Int) { numbers = numbers.filter { $0.value > number } }
}
