import Model
import Synchronization

/// The ring of samples, for whoever adds and whoever reads, on any thread.
final class KeptFigures: Sendable {
    private let ring = Mutex(FigureRing())

    func add(_ sample: FigureSample) -> FigureSample? { ring.withLock { $0.add(sample) } }

    func points(since: Timestamp?, step: Int?, now: Timestamp) -> FigureRing.Points {
        ring.withLock { $0 }.points(since: since, step: step, now: now)
    }

    /// Takes samples as they were stored, in their order.
    /// - Parameter isWhole: they are all that there is of this series.
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
