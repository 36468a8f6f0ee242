import HTTPServing
import Platform
import Synchronization

/// Answers that are made once for each state of what they show, and then given to everybody who asks the same.
final class KeptAnswers: Sendable {
    /// Bytes that are kept at most.
    private static let limit = 32 << 20

    private struct Entry {
        var revision: String
        var response: ServerResponse
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var size = 0
    }

    private let state = Mutex(State())

    /// The answer that was made at this revision, else a new one, tagged and compressed.
    func answer(to request: ServerRequest, at revision: String, _ make: () throws -> ServerResponse) throws -> ServerResponse {
        let target = request.path.joined(separator: "/") + "?" + request.query.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
        let entry: Entry
        if let kept = state.withLock({ $0.entries[target] }), kept.revision == revision {
            entry = kept
        } else {
            var response = try make()
            response.etag = Dressing.tag(of: response.body)
            response.compressed = response.body.count >= Dressing.compressedFrom ? Gzip.compress(response.body) : nil
            entry = Entry(revision: revision, response: response)
            keep(entry, target)
        }
        return entry.response
    }

    private func keep(_ entry: Entry, _ target: String) {
        let size = entry.response.body.count + target.utf8.count + 200
        state.withLock { state in
            if let old = state.entries.removeValue(forKey: target) { state.size -= old.response.body.count + target.utf8.count + 200 }
            if state.size + size > Self.limit {
                state.entries = [:]
                state.size = 0
            }
            guard size <= Self.limit else { return }
            state.entries[target] = entry
            state.size += size
        }
    }
}
