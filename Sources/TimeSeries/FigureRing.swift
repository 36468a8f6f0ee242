package import Model

/// The latest samples: one each ten seconds for an hour, and one each five minutes for a day. A value.
package struct FigureRing: Sendable {
    package static let fineSeconds = 10
    static let fineCount = 360
    static let coarseSeconds = 300
    static let coarseCount = 288

    private(set) var fine: [FigureSample] = []
    private(set) var coarse: [FigureSample] = []

    /// Takes a new sample; what the five minutes before it add up to, where it is the first of its own.
    mutating func add(_ sample: FigureSample) -> FigureSample? {
        let last = fine.last
        insert(fine: sample)
        guard let last, Self.period(last.at) < Self.period(sample.at) else { return nil }
        let period = Self.period(last.at)
        let whole = FigureSample(fine.filter { Self.period($0.at) == period }, at: Self.start(of: period, Self.coarseSeconds))
        if let whole { insert(coarse: whole) }
        return whole
    }

    /// Takes a sample as it was stored.
    mutating func insert(fine sample: FigureSample) { Self.insert(sample, into: &fine, Self.fineCount, Self.fineSeconds) }
    mutating func insert(coarse sample: FigureSample) { Self.insert(sample, into: &coarse, Self.coarseCount, Self.coarseSeconds) }

    mutating func forget(_ series: FigureSeries) {
        switch series {
        case .fine: fine = []
        case .coarse: coarse = []
        }
    }

    private static func insert(_ sample: FigureSample, into list: inout [FigureSample], _ count: Int, _ seconds: Int) {
        // A clock that was put back begins anew from there.
        while let last = list.last, last.at >= sample.at { list.removeLast() }
        list.append(sample)
        let end = sample.at + Double(-count * seconds)
        list.removeFirst(max(list.count - count, list.firstIndex { $0.at > end } ?? 0))
    }

    private static func period(_ time: Timestamp, _ seconds: Int = coarseSeconds) -> Int64 { time.milliseconds / Int64(seconds * 1000) }

    private static func start(of period: Int64, _ seconds: Int) -> Timestamp { Timestamp(milliseconds: period * Int64(seconds * 1000)) }

    // MARK: - Points
    package struct Points: Equatable, Sendable {
        /// Seconds between two points.
        package var step: Int
        /// One for each step from the first that is known to the last; nil where nothing was sampled.
        package var points: [(at: Timestamp, sample: FigureSample?)]

        package static func == (left: Points, right: Points) -> Bool {
            left.step == right.step && left.points.map(\.at) == right.points.map(\.at)
                && left.points.map(\.sample) == right.points.map(\.sample)
        }
    }

    /// The points since a time, an hour ago where none is said. The step is made longer where what is kept is coarser.
    func points(since: Timestamp?, step: Int?, now: Timestamp) -> Points {
        let since = since ?? now + Double(-Self.fineCount * Self.fineSeconds)
        let reachesBack = now - since > Double(Self.fineCount * Self.fineSeconds) + 1
        let base = reachesBack || step ?? 0 >= Self.coarseSeconds ? Self.coarseSeconds : Self.fineSeconds
        let step = (max(base, step ?? base) + base - 1) / base * base
        var known = fine
        if base == Self.coarseSeconds {
            let end = coarse.last.map { Self.period($0.at) } ?? -1
            known = coarse + fine.filter { Self.period($0.at) > end }
        }
        var groups: [Int64: [FigureSample]] = [:]
        for sample in known where Self.period(sample.at, step) >= Self.period(since, step) {
            groups[Self.period(sample.at, step), default: []].append(sample)
        }
        guard let begin = groups.keys.min(), let end = groups.keys.max() else { return Points(step: step, points: []) }
        return Points(
            step: step,
            points: (begin...end).map { period in
                let time = Self.start(of: period, step)
                return (time, FigureSample(groups[period] ?? [], at: time))
            })
    }
}
