import HTTPServing
import Platform

/// What the API counts about itself.
final class APIMetrics: Sendable {
    let requests = Metric(.counter, "sallyport_api_requests_total", "Requests to the API.", labels: ["method", "route", "status"])
    let seconds = Metric(
        .histogram(Metrics.seconds), "sallyport_api_request_duration_seconds", "Time to answer a request.", labels: ["route"])
    let keyFailures = Metric(.counter, "sallyport_api_key_failures_total", "Requests with a key that was refused.", labels: ["reason"])
    let limited = Metric(.counter, "sallyport_api_limited_total", "Requests refused by a rate limit.", labels: ["route"])
    let streams = Metric(.gauge, "sallyport_api_streams", "Readers of streams now.", labels: ["stream"])
    let refusedStreams = Metric(
        .counter, "sallyport_api_streams_refused_total", "Streams refused because a key, or all together, had the most.", labels: ["limit"])
    let droppedReaders = Metric(.counter, "sallyport_api_stream_readers_dropped_total", "Readers that were too slow.", labels: ["stream"])

    var all: [Metric] { [requests, seconds, keyFailures, limited, streams, refusedStreams, droppedReaders] }

    func count(_ call: Call, _ status: Int, _ seconds: Double) {
        let route = call.route?.pattern ?? "none"
        requests.add(1, call.meaning.label, route, String(status))
        self.seconds.observe(seconds, route)
        if status == 429 { limited.add(1, route) }
    }
}
