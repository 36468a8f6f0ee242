import Model

/// What an exit or a user carries, as the topic `traffic` shows it.
struct TrafficView {
    /// Nil where no controller has told it lately.
    let now: CurrentTraffic?
    let bytesToday: Int

    /// Written by hand: a large installation has thousands each two seconds.
    var json: String {
        guard let now else { return "{\"bytes_today\":\(bytesToday)}" }
        return "{\"bytes_per_second\":\(now.bytesPerSecond),\"bytes_today\":\(bytesToday),\"connections\":\(now.connections)}"
    }

    /// One item for each exit and user that is known, by `exit:ID` and `user:NAME`.
    static func items(_ report: TrafficReport) -> [String: String] {
        report.bytesToday.reduce(into: [:]) { items, entry in
            let now = report.now.map { $0[entry.key] ?? CurrentTraffic() }
            items[entry.key] = TrafficView(now: now, bytesToday: entry.value).json
        }
    }
}
