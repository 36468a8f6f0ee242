import Model

extension ExitView {
    /// Its fields in the order of their names, as the encoder would write them: the list of all exits is made anew with each probe.
    func write(into json: inout JSONWriter) {
        json.field("attempts", attempts)
        json.field("country", country)
        json.field("detail", detail)
        json.field("exit_country", exitCountry?.rawValue)
        json.field("exit_ip", exitIP)
        json.field("generation", generation)
        json.object("health") { health.write(into: &$0) }
        json.field("id", id.description)
        json.field("leaving", leaving)
        json.object("proxy") { json in
            json.field("socks5", proxy.socks5)
            json.field("url", proxy.url)
            json.field("username", proxy.username)
        }
        json.field("provider", provider?.rawValue)
        json.field("reason", reason?.rawValue)
        json.field("retry_at", retryAt?.description)
        if let server {
            json.object("server") { json in
                json.field("address", server.address)
                json.field("city", server.city)
                json.field("hostname", server.hostname)
                json.field("latency_ms", server.latencyMs)
                json.field("load", server.load)
            }
        }
        json.field("since", since.description)
        json.field("state", state.rawValue)
    }
}

extension ExitView.HealthView {
    func write(into json: inout JSONWriter) {
        json.field("checked_at", checkedAt?.description)
        json.field("compared_age_s", comparedAgeS)
        json.field("compared_age_seconds", comparedAgeSeconds)
        json.field("compared_at", comparedAt?.description)
        json.field("comparison_problem", comparisonProblem)
        json.field("handshake_age_s", handshakeAgeS)
        json.field("handshake_age_seconds", handshakeAgeSeconds)
        json.field("latency_ms", latencyMs)
        json.field("leaked_bytes", leakedBytes)
        json.field("leaked_packets", leakedPackets)
        json.field("leaks_counted", leaksCounted)
        json.field("other_exit_ip", otherExitIP)
        json.field("placed_at", placedAt?.description)
        json.field("reason", reason?.rawValue)
        json.field("score", score)
        json.field("success_rate", successRate)
        json.field("verdict", verdict.rawValue)
    }
}
