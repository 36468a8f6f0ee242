import Model

extension JSONWriter {
    /// A server as the API shows it, its fields in the order of their names.
    mutating func server(
        _ server: Server, figures: LatencyFigures? = nil, score: Double? = nil, parts: [RankedServer.Part]? = nil
    ) {
        object { json in
            json.field("address", server.address)
            json.field("city", server.city)
            json.field("country", server.country.name)
            json.field("country_code", server.country.rawValue)
            json.field("country_name", server.country.name)
            json.field("hostname", server.hostname)
            json.field("identifier", server.hostname)
            for name in ["jitter", "jitter_ms"] { json.field(name, figures?.jitter) }
            for name in ["latency", "latency_ms"] { json.field(name, figures.map(\.median) ?? server.latencyMilliseconds) }
            json.field("load", server.load)
            if let figures {
                json.field("loss", figures.loss)
                json.field("measured_at", figures.measuredAt.description)
            }
            json.field("network", server.network)
            json.field("port", server.port)
            json.field("provider", server.provider.rawValue)
            json.field("public_key", server.publicKey)
            if let figures { json.field("samples", figures.samples) }
            if let score { json.field("score", score) }
            if let parts {
                json.list("score_parts", parts) { json, part in
                    json.object { json in
                        json.field("name", part.name)
                        json.field("points", part.points)
                        json.field("reason", part.reason)
                    }
                }
            }
            json.field("tags", server.tags)
        }
    }
}
