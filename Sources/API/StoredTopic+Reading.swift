import AccessControl
import AuditLog
import EventStreams
import Model
import Platform
import RequestPipeline

extension StoredTopic {
    /// What exits and users carry; nothing while the store does not answer.
    static func traffic(_ operations: any Operations) -> StoredTopic {
        StoredTopic(.traffic, beats: 8) { (try? await operations.traffic()).map(TrafficView.items) ?? [:] }
    }

    /// What tells a page to ask again for a list that it shows: equal texts stand for equal lists. Each change through the API is audited,
    /// so the end of the audit log stands for lists that only the store has, whichever controller has changed them.
    static func changes(_ audit: AuditLog, _ keys: KeyRing, _ live: LiveSettings) -> StoredTopic {
        StoredTopic(.changes, beats: 4) {
            guard let end = try? await audit.store.end() else { return nil }
            let written = "\(end.head ?? "") \(audit.figures.problems.count)"
            let ring = keys.all.map { "\($0.id) \($0.name) \($0.role.rawValue)" }.joined(separator: ",")
            let names = [
                "audit": written, "webhooks": written, "sessions": written, "keys": ring, "providers": written,
                "settings": "\(live.changed.joined(separator: ",")) \(written)",
            ]
            return names.mapValues { JSONText.quoted(String(Digest.sha256($0).prefix(16))) }
        }
    }
}
