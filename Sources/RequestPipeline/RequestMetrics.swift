import HTTPServing
import OpenAPI
package import Platform

/// What is counted of requests.
package final class RequestMetrics: Sendable {
    package let requests = Metric(.counter, "sallyport_api_requests_total", "Requests to the API.", labels: ["method", "route", "status"])
    package let seconds = Metric(
        .histogram(Metrics.seconds), "sallyport_api_request_duration_seconds", "Time to answer a request.", labels: ["route"])
    package let keyFailures = Metric(
        .counter, "sallyport_api_key_failures_total", "Requests with a key that was refused.", labels: ["reason"])
    let limited = Metric(.counter, "sallyport_api_limited_total", "Requests refused by a rate limit.", labels: ["route"])

    package init() {}

    package var all: [Metric] { [requests, seconds, keyFailures, limited] }

    func count(_ context: RequestContext, _ status: Int, _ seconds: Double) {
        let route = context.route?.pattern ?? "none"
        requests.add(1, context.analysis.label, route, String(status))
        self.seconds.observe(seconds, route)
        if status == 429 { limited.add(1, route) }
    }
}
