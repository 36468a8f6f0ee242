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
        var tag: String
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var size = 0
    }

    private let state = Mutex(State())

    /// The answer that was made at this revision, else a new one; with an ETag (RFC 9110, section 8.8.3), and without a body
    /// for who has it already.
    func answer(to request: ServerRequest, at revision: String, _ make: () throws -> ServerResponse) throws -> ServerResponse {
        let target = request.path.joined(separator: "/") + "?" + request.query.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
        let entry: Entry
        if let kept = state.withLock({ $0.entries[target] }), kept.revision == revision {
            entry = kept
        } else {
            var response = try make()
            let tag = "\"\(Digest.sha256(response.body).prefix(24))\""
            response.headers += [("ETag", tag), ("Cache-Control", "private, no-cache")]
            entry = Entry(revision: revision, response: response, tag: tag)
            keep(entry, target)
        }
        guard let known = request.headers["if-none-match"], Self.names(entry.tag, known) else { return entry.response }
        return ServerResponse(status: 304, headers: entry.response.headers.filter { $0.name != "Content-Type" })
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

    /// Whether the tag is in an If-None-Match header; a weak one is as good there.
    private static func names(_ tag: String, _ header: String) -> Bool {
        header.split(separator: ",").contains { part in
            let word = part.filter { $0 != " " }
            return word == "*" || word == tag || word == "W/\(tag)"
        }
    }
}
