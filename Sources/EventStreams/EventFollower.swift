import HTTPServing
import Model
import Platform

/// Feeds the readers of events from the store's log, whichever controller wrote it.
struct EventFollower: Sendable {
    /// Events that a reader who catches up is sent at a time, and bytes that it must have taken before it gets more.
    private static let page = 200
    private static let ahead = 64 << 10
    /// Seconds in which a reader who catches up has to take what it was sent.
    private static let patience = 60.0

    let feed: EventFeed
    let source: any EventSource
    let log: Log

    /// Runs until it is cancelled.
    func run() async {
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await followStore() }
                group.addTask { for await events in source.unstored { feed.publish(unstored: events) } }
                for await reader in feed.catchUpReaders {
                    group.addTask { await catchUp(reader) }
                }
            }
        } onCancel: {
            source.interrupt()
        }
    }

    private func followStore() async {
        var isBehind = false
        while !Task.isCancelled {
            do {
                guard let last = feed.last else {
                    feed.begin(with: try await source.latest(limit: 1000))
                    continue
                }
                // After a break some of what we did not see may be gone; a wait would not tell.
                feed.publish(
                    isBehind ? try await source.page(after: last, limit: 1000) : try await source.next(after: last, limit: 1000))
                if isBehind { log.debug("the event log is read again") }
                isBehind = false
            } catch {
                if !isBehind { log.debug("the event log does not answer", ["error": "\(error)"]) }
                isBehind = true
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
    }

    /// Sends a reader what it has missed, piece by piece and no faster than it takes it, until it has as much as the others.
    private func catchUp(_ reader: CatchUpReader) async {
        var place = reader.place
        while !Task.isCancelled, !reader.stream.hasEnded, !feed.goLive(reader, from: place) {
            // The store is asked again and again: a reader who comes while it is away waits, and gets heartbeats.
            guard let page = try? await source.page(after: place, limit: Self.page) else {
                try? await Task.sleep(for: .milliseconds(500))
                continue
            }
            if let gap = page.gap { reader.stream.send(ServerSentEvents.gap(gap.rawValue, after: place.description)) }
            for entry in page.events where reader.filter.contains(entry.event) {
                // Before each: a page on top of what still waits can be more than is kept for a reader.
                guard await hasTaken(reader.stream) else { return reader.stream.drop() }
                reader.stream.send(EventFeed.bytes(id: entry.id, reader.filter.shown(entry.event)))
            }
            guard await hasTaken(reader.stream) else { return reader.stream.drop() }
            if let end = page.end {
                reader.stream.send(ServerSentEvents.place(end.description))
                place = end
            }
            if page.end == nil {
                // It is at the store's end: what we know beyond that is of a store that was emptied since.
                place = max(place, feed.floor)
                try? await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    private func hasTaken(_ stream: BodyStream) async -> Bool {
        let end = ContinuousClock.now + .seconds(Self.patience)
        while stream.waiting > Self.ahead {
            guard ContinuousClock.now < end, !Task.isCancelled else { return false }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return true
    }
}
