import Model
import Testing

@Suite struct LatencyHistoryTests {
    @Test func `measurements add up to median, jitter and loss`() throws {
        var history = LatencyHistory()
        #expect(history.figures == nil)
        let start = Timestamp(milliseconds: 0)
        for time in [10, nil, 14, 12] as [Double?] { history.add(time, by: .fping, at: start) }
        #expect(
            history.figures
                == LatencyFigures(median: 12, jitter: 3, loss: 25, samples: 4, method: .fping, measuredAt: start))
        for _ in 0..<50 { history.add(7, by: .fping, at: start + 1) }
        #expect(history.figures?.samples == LatencyHistory.limit && history.figures?.loss == 0 && history.figures?.median == 7)
        history.add(nil, by: .wireguard, at: start + 2)
        #expect(history.figures?.samples == 1 && history.figures?.median == nil && history.figures?.loss == 100)
    }
}
