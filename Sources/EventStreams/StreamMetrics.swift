package import Platform

/// What is counted of streams.
package struct StreamMetrics: Sendable {
    let streams = Metric(.gauge, "sallyport_api_streams", "Readers of streams now.", labels: ["stream"])
    package let refused = Metric(
        .counter, "sallyport_api_streams_refused_total", "Streams that were refused because of the limit of a key or of all keys.",
        labels: ["limit"])
    let droppedReaders = Metric(
        .counter, "sallyport_api_stream_readers_dropped_total", "Readers that were disconnected for being too slow.", labels: ["stream"])

    package init() {}

    package var all: [Metric] { [streams, refused, droppedReaders] }
}
