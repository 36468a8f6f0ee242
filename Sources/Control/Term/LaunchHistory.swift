import Model

/// When containers of each pool were begun lately: what its restart budget counts. A value; time is an input.
struct LaunchHistory {
    private var launches: [CountryCode: [Timestamp]] = [:]

    mutating func begun(_ country: CountryCode, now: Timestamp) { launches[country, default: []].append(now) }

    /// The latest one was none: the engine did not begin it.
    mutating func withdrawLatest(_ country: CountryCode) { _ = launches[country]?.popLast() }

    mutating func forget(_ country: CountryCode) { launches[country] = nil }
    mutating func forgetAll() { launches = [:] }

    /// - Parameter window: in seconds.
    mutating func recent(window: Double, now: Timestamp) -> [CountryCode: [Timestamp]] {
        launches = launches.mapValues { $0.filter { now - $0 < window } }.filter { !$0.value.isEmpty }
        return launches
    }

    /// The wall clock was set by so many seconds.
    mutating func shift(by seconds: Double) { launches = launches.mapValues { $0.map { $0 + seconds } } }
}
