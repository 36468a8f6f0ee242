/// Figures over time.
///
/// | key | type | holds |
/// | --- | --- | --- |
/// | `<prefix>:api:figures:fine` | stream | a sample each 10 s as JSON, about 360 |
/// | `<prefix>:api:figures:coarse` | stream | a sample each 5 min as JSON, about 288 |
extension APIStore {
    package func appendFigure(_ text: String, to series: String, count: Int) async throws {
        try await connection.command(["XADD", key("figures:\(series)"), "MAXLEN", "~", String(count), "*", "sample", text])
    }

    /// What was stored after an id, and the last one's id, which is the given one where there is nothing new.
    package func figures(of series: String, after id: String?) async throws -> (samples: [String], last: String?) {
        let start = id.map { "(\($0)" } ?? "-"
        let reply = try await connection.command(["XRANGE", key("figures:\(series)"), start, "+", "COUNT", "1000"])
        let entries = (reply.list ?? []).compactMap { entry -> (id: String, text: String)? in
            guard let parts = entry.list, parts.count == 2, let id = parts[0].text, let fields = parts[1].list, fields.count == 2,
                let text = fields[1].text
            else { return nil }
            return (id, text)
        }
        return (entries.map(\.text), entries.last?.id ?? id)
    }
}
