import HTTPServing
import Platform
import Synchronization

/// Answers that are encoded, compressed and tagged once for each state of what they show, and then given to everybody who asks
/// the same.
final class KeptAnswers: Sendable {
    /// Bytes that are kept at most.
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

    /// The answer that was made at this revision, else a new one.
    func answer(to request: ServerRequest, at revision: String, _ make: () throws -> ServerResponse) throws -> ServerResponse {
        if let kept = kept(for: request, at: revision) { return kept }
        return keep(try make(), for: request, at: revision)
    }

    func kept(for request: ServerRequest, at revision: String) -> ServerResponse? {
        let target = target(of: request)
        guard let kept = state.withLock({ $0.entries[target] }), kept.revision == revision else { return nil }
        return kept.response
    }

    /// The same answer, tagged and compressed, for all who ask for it at this revision.
    func keep(_ response: ServerResponse, for request: ServerRequest, at revision: String) -> ServerResponse {
        var response = response
        let target = target(of: request)
        Dressing.prepare(&response)
        keep(
            Entry(
                revision: revision, response: response, size: response.size + (response.compressed?.count ?? 0) + target.utf8.count),
            target)
        return response
    }

    private func target(of request: ServerRequest) -> String {
        request.path.joined(separator: "/") + "?" + request.query.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
    }

    private func keep(_ entry: Entry, _ target: String) {
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
