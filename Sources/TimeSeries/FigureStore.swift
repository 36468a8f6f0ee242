import FoundationEssentials

/// Keeps the samples for all controllers: the one that leads writes them, the others read.
package protocol FigureStore: Sendable {
    /// Adds a sample to one of the two series.
    func append(_ sample: String, to series: FigureSeries) async throws
    /// The samples after an id, all of them where it is nil, with the last one's id.
    func samples(of series: FigureSeries, after id: String?) async throws -> (samples: [String], last: String?)
}

/// The two series of samples that are kept.
package enum FigureSeries: String, Sendable, CaseIterable { case fine, coarse }

/// Reads what another controller has stored, or an earlier process of this one.
struct FigureReader {
    private var last: [FigureSeries: String] = [:]

    /// Takes over what is new. The first time it replaces all that the history has of a series.
    mutating func read(from store: any FigureStore, into history: FigureHistory) async {
        for series in FigureSeries.allCases {
            guard let (texts, id) = try? await store.samples(of: series, after: last[series]), let id else { continue }
            let samples = texts.compactMap { try? JSONDecoder().decode(FigureSample.self, from: Data($0.utf8)) }
            history.insert(samples, series, isWhole: last[series] == nil)
            last[series] = id
        }
    }
}
