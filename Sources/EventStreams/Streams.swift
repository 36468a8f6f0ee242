package import AccessControl
import Model
package import Platform

/// The streams of a controller: exits, events, log lines, and the topics of the dashboard.
package struct Streams: Sendable {
    package let metrics = StreamMetrics()
    package let exits: StreamHub
    package let logs: StreamHub
    package let events: EventFeed
    package let topics: TopicHub
    package let open = OpenStreams()

    package init() {
        let process = Digest.randomHex(bytes: 4)
        exits = StreamHub("exits", process: process, metrics: metrics)
        logs = StreamHub("logs", process: process, metrics: metrics)
        events = EventFeed(metrics: metrics)
        topics = TopicHub(metrics: metrics)
    }

    package var readers: Int { exits.readers + logs.readers + events.readers + topics.readers }

    /// Feeds the streams until it is cancelled, and ends those whose key is no longer valid.
    /// - Parameters:
    ///   - stored: the topics that are read from the store.
    ///   - source: the store's log of events; nil where there is none.
    ///   - tail: the controller's own log; nil where it is not kept.
    package func run(
        _ feed: ExitFeed, stored: [StoredTopic], events source: (any EventSource)?, tail: LogTail?, callers: Callers, log: Log
    ) async {
        await withDiscardingTaskGroup { group in
            group.addTask { await feed.run() }
            group.addTask { await topics.run() }
            for topic in stored { group.addTask { await topic.run { topics.isFollowed(topic.topic) } } }
            group.addTask { await open.watch(callers) }
            group.addTask { await beat() }
            if let source { group.addTask { await EventFollower(feed: events, source: source, log: log).run() } }
            if let tail { group.addTask { await follow(tail) } }
        }
    }

    private func beat() async {
        while (try? await Task.sleep(for: .seconds(15))) != nil {
            exits.beat()
            events.beat()
            logs.beat()
        }
    }

    private func follow(_ tail: LogTail) async {
        for await line in tail.follow() {
            logs.publish("line", line.json, plain: line.withoutUserName.json, number: line.number)
        }
    }
}
