package import Model
import Synchronization

/// The samples of the last day. Thread-safe.
package final class FigureHistory: Sendable {
    private let ring = Mutex(FigureRing())

    package init() {}

    /// - Returns: the five minutes before the sample as one, where the sample is the first of its own five minutes.
    package func add(_ sample: FigureSample) -> FigureSample? { ring.withLock { $0.add(sample) } }

    package func points(since: Timestamp?, step: Int?, now: Timestamp) -> FigureRing.Points {
        ring.withLock { $0 }.points(since: since, step: step, now: now)
    }

    /// Takes samples as they were stored, in their order.
    /// - Parameter isWhole: true where they replace all that is here of this series.
    func insert(_ samples: [FigureSample], _ series: FigureSeries, isWhole: Bool) {
        ring.withLock { ring in
            if isWhole { ring.forget(series) }
            for sample in samples {
                switch series {
                case .fine: ring.insert(fine: sample)
                case .coarse: ring.insert(coarse: sample)
                }
            }
        }
    }
}
