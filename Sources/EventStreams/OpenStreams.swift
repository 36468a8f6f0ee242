package import AccessControl
package import HTTPServing
package import Model
import Synchronization

/// The streams that are open, each with the key that opened it: who may call no more reads no more.
package final class OpenStreams: Sendable {
    private struct Entry {
        var stream: BodyStream
        var key: APIKey
        /// The session that it was opened by.
        var session: String?
        var role: Role
    }

    /// By the key's id.
    private let entries = Mutex<[String: [ObjectIdentifier: Entry]]>([:])

    package func add(_ stream: BodyStream, _ key: APIKey, session: String? = nil, _ role: Role) {
        entries.withLock {
            $0[key.id, default: [:]][ObjectIdentifier(stream)] = Entry(stream: stream, key: key, session: session, role: role)
        }
    }

    /// What a key can have no more streams for; nil where it can have one more.
    package enum Limit: String {
        case key, all
    }

    package func limit(reachedBy key: APIKey, perKey: Int, inAll: Int) -> Limit? {
        entries.withLock { entries in
            // Those that have left are looked for only where they are in the way.
            if entries[key.id]?.count ?? 0 >= perKey { Self.sweep(&entries, key.id) }
            if entries[key.id]?.count ?? 0 >= perKey { return .key }
            if Self.count(entries) >= inAll { for id in Array(entries.keys) { Self.sweep(&entries, id) } }
            return Self.count(entries) >= inAll ? .all : nil
        }
    }

    private static func count(_ entries: [String: [ObjectIdentifier: Entry]]) -> Int { entries.values.reduce(0) { $0 + $1.count } }

    private static func sweep(_ entries: inout [String: [ObjectIdentifier: Entry]], _ id: String) {
        let open = (entries[id] ?? [:]).filter { !$0.value.stream.endIfLeft() }
        entries[id] = open.isEmpty ? nil : open
    }

    /// Checks once a second until it is cancelled.
    func watch(_ callers: Callers) async {
        while (try? await Task.sleep(for: .seconds(1))) != nil { check(callers) }
    }

    /// Ends those whose reader has left, those whose key is expired, revoked, or of too low a role by now, and those whose session has
    /// ended. An open stream is a use of its session.
    func check(_ callers: Callers) {
        let open = entries.withLock { entries in
            for id in Array(entries.keys) { Self.sweep(&entries, id) }
            return entries
        }
        for (id, streams) in open {
            for (stream, entry) in streams where !allows(entry, callers) {
                entry.stream.send(ServerSentEvents.closed)
                entry.stream.finish()
                entries.withLock { $0[id]?[stream] = nil }
            }
        }
    }

    private func allows(_ entry: Entry, _ callers: Callers) -> Bool {
        callers.keys.allows(entry.key, entry.role) && entry.session.map { callers.sessions.goesOn($0) } ?? true
    }
}
