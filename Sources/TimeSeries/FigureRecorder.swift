import FoundationEssentials
import Model
import Platform

/// Takes a sample every ten seconds, or reads the leader's.
package struct FigureRecorder: Sendable {
    package let history = FigureHistory()
    private let store: (any FigureStore)?

    /// - Parameter store: nil keeps the samples in this process alone.
    package init(store: (any FigureStore)?) { self.store = store }

    /// Runs until it is cancelled.
    /// - Parameters:
    ///   - isLeading: false where the store's samples are another controller's.
    package func run(isLeading: @Sendable () -> Bool, reading: @Sendable () -> FigureReading) async {
        var (meter, reader) = (FigureMeter(), FigureReader())
        _ = meter.sample(reading(), at: SystemClock.now())
        // The samples of an earlier process.
        if let store { await reader.read(from: store, into: history) }
        while true {
            let period = Int64(FigureRing.fineSeconds) * 1000
            let pause = period - SystemClock.now().milliseconds % period
            guard (try? await Task.sleep(for: .milliseconds(pause))) != nil else { return }
            let sample = meter.sample(reading(), at: SystemClock.now())
            if let store, !isLeading() {
                await reader.read(from: store, into: history)
            } else if let sample {
                reader = FigureReader()
                await keep(sample)
            }
        }
    }

    /// A sample that the store does not take is missing there, and stays here.
    private func keep(_ sample: FigureSample) async {
        let period = history.add(sample)
        guard let store else { return }
        for (series, sample) in [(FigureSeries.fine, sample), (.coarse, period)] {
            guard let sample, let data = try? JSONEncoder().encode(sample) else { continue }
            try? await store.append(String(decoding: data, as: UTF8.self), to: series)
        }
    }
}
