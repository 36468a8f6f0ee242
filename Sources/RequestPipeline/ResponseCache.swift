package import HTTPServing
import Platform
import Synchronization

/// Answers by request target, each encoded, compressed and tagged once for each revision of its data. Thread-safe.
package final class ResponseCache: Sendable {
    /// Bytes of all answers; beyond them the cache begins empty.
    private static let limit = 32 << 20

    private struct Entry {
        var revision: String
        var response: ServerResponse
        var size: Int
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var size = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// The answer that was made at this revision, else a new one.
    package func response(to request: ServerRequest, at revision: String, _ make: () throws -> ServerResponse) throws -> ServerResponse {
        if let cached = cached(for: request, at: revision) { return cached }
        return store(try make(), for: request, at: revision)
    }

    package func cached(for request: ServerRequest, at revision: String) -> ServerResponse? {
        let target = target(of: request)
        guard let entry = state.withLock({ $0.entries[target] }), entry.revision == revision else { return nil }
        return entry.response
    }

    /// The same answer, tagged and compressed, for all who ask for it at this revision.
    package func store(_ response: ServerResponse, for request: ServerRequest, at revision: String) -> ServerResponse {
        var response = response
        let target = target(of: request)
        response.prepare()
        insert(
            Entry(
                revision: revision, response: response, size: response.size + (response.compressed?.count ?? 0) + target.utf8.count),
            target)
        return response
    }

    private func target(of request: ServerRequest) -> String {
        request.path.joined(separator: "/") + "?" + request.query.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
    }

    private func insert(_ entry: Entry, _ target: String) {
        state.withLock { state in
            if let old = state.entries.removeValue(forKey: target) { state.size -= old.size }
            if state.size + entry.size > Self.limit {
                state.entries = [:]
                state.size = 0
            }
            guard entry.size <= Self.limit else { return }
            state.entries[target] = entry
            state.size += entry.size
        }
    }
}
