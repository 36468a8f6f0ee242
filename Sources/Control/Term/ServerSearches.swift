import Model
import Planning

/// The servers of each pool as the catalog named them last, and the searches for them. A value; time is an input.
struct ServerSearches {
    /// Seconds for which an answer is good.
    private static let freshSeconds = 60.0

    private var found: [CountryCode: (servers: [RankedServer], at: Timestamp)] = [:]
    private var underWay: Set<CountryCode> = []
    /// When each pool's servers were last searched for.
    private(set) var begunAt: [CountryCode: Timestamp] = [:]
    /// Why the last search for a pool's servers has failed.
    private(set) var problems: [CountryCode: String] = [:]

    /// False where a search for this pool is under way.
    mutating func begin(_ country: CountryCode, now: Timestamp) -> Bool {
        guard underWay.insert(country).inserted else { return false }
        begunAt[country] = now
        return true
    }

    mutating func end(_ country: CountryCode) { underWay.remove(country) }

    mutating func keep(_ servers: [RankedServer], for country: CountryCode, now: Timestamp) { found[country] = (servers, now) }

    /// A search has succeeded, whatever became of its answer.
    mutating func succeeded(_ country: CountryCode, pools: [CountryCode: Pool]) {
        problems[country] = nil
        problems = problems.filter { pools[$0.key] != nil }
    }

    mutating func failed(_ country: CountryCode, _ error: any Error) { problems[country] = "\(error)" }

    mutating func forget(_ country: CountryCode) { found[country] = nil }

    /// What is good still. Old servers are better than none, where no others can be had.
    mutating func fresh(now: Timestamp) -> [CountryCode: [RankedServer]] {
        found = found.filter { now - $0.value.at < Self.freshSeconds || problems[$0.key] != nil }
        return found.mapValues(\.servers)
    }

    /// The wall clock was set by so many seconds.
    mutating func shift(by seconds: Double) {
        begunAt = begunAt.mapValues { $0 + seconds }
        found = found.mapValues { ($0.servers, $0.at + seconds) }
    }
}
