package import AuditLog
import HTTPServing
package import Model
import OpenAPI
package import Platform
import Synchronization

/// Where changed settings are kept, for every controller of this store and for the next start.
package protocol SettingStore: Sendable {
    /// The values that were changed, in JSON, by the settings' names.
    func settings() async throws -> [String: String]
    /// Keeps these; nil forgets one.
    func save(settings: [String: String?]) async throws
}

/// The settings in force: what the configuration says, and over it what was changed through the API.
package final class LiveSettings: Sendable {
    private struct State {
        var configured: LiveValues
        var changes: [LiveSetting: Document] = [:]
        var inForce: LiveValues
        /// Counts changes made here, so that what was read before one does not undo it.
        var edition = 0
        /// What the store held when it was last taken over.
        var taken: [String: String]?
    }

    private let state: Mutex<State>

    /// Keeps its entries as long as the settings say.
    private let audit: AuditLog

    package init(_ values: LiveValues, audit: AuditLog) {
        state = Mutex(State(configured: values, inForce: values))
        self.audit = audit
    }

    package var values: LiveValues { state.withLock { $0.inForce } }
    package var edition: Int { state.withLock { $0.edition } }
    /// Names of those that differ from the configuration because somebody changed them.
    package var changed: [String] { state.withLock { state in LiveSetting.allCases.filter { state.changes[$0] != nil }.map(\.rawValue) } }

    package func configure(_ body: (inout LiveValues) -> Void) {
        state.withLock { state in
            body(&state.configured)
            apply(&state)
        }
    }

    /// Nil gives a setting back to the configuration.
    package func change(_ changes: [LiveSetting: Document?]) {
        state.withLock { state in
            for (setting, value) in changes { state.changes[setting] = value }
            state.edition += 1
            state.taken = nil
            apply(&state)
        }
    }

    /// Takes over what the store holds, unless something was changed here since it was asked.
    /// - Returns: what is wrong with it; such values are left out. Nil where nothing is new.
    package func take(_ stored: [String: String], edition: Int) -> [FieldProblem]? {
        state.withLock { state in
            guard state.edition == edition, state.taken != stored else { return nil }
            state.taken = stored
            let document = Document.object(
                stored.mapValues { (try? Document(json: $0.utf8)) ?? .string($0) })
            let reader = FieldReader(document)
            state.changes = LiveSetting.allCases.reduce(into: [:]) { $0[$1] = $1.read(reader) }
            apply(&state)
            return reader.finish()
        }
    }

    private func apply(_ state: inout State) {
        state.inForce = state.configured
        for (setting, value) in state.changes { setting.set(value, in: &state.inForce) }
        audit.retentionDays = state.inForce.retentionDays
    }

    /// Takes over what any controller changes, once a second, until it is cancelled.
    package func follow(_ store: any SettingStore, log: Log) async {
        while !Task.isCancelled {
            let edition = edition
            if let stored = try? await store.settings(), let problems = take(stored, edition: edition) {
                for problem in problems { log.warning("a stored setting is ignored", ["problem": "\(problem)"]) }
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }
}
