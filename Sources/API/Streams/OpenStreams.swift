import HTTPServing
import Model
import Synchronization

/// The streams that are open, each with the key that opened it: who may call no more reads no more.
final class OpenStreams: Sendable {
    private struct Entry {
        var stream: BodyStream
        var key: APIKey
        var role: Role
    }

    private let entries = Mutex<[ObjectIdentifier: Entry]>([:])

    func add(_ stream: BodyStream, _ key: APIKey, _ role: Role) {
        entries.withLock { $0[ObjectIdentifier(stream)] = Entry(stream: stream, key: key, role: role) }
    }

    /// Ends those whose key is expired, revoked, or of too low a role by now.
    func check(_ keys: KeyRing) {
        let open = entries.withLock { entries in
            entries = entries.filter { !$0.value.stream.hasEnded }
            return entries
        }
        for (id, entry) in open where !keys.allows(entry.key, entry.role) {
            entry.stream.send(ServerSentEvents.closed)
            entry.stream.finish()
            entries.withLock { $0[id] = nil }
        }
    }
}

extension API {
    /// Looks once a second, until it is cancelled.
    func endStreams() async {
        while (try? await Task.sleep(for: .seconds(1))) != nil { openStreams.check(keys) }
    }
}
