package import Model

/// What operators can read of an exit beside its state.
extension Controller {
    /// The last lines that an exit's container wrote.
    package func logs(of id: ExitID, lines: Int) async throws -> String {
        guard let container = try known(id).container else { return "" }
        do { return try await ports.engine.logs(of: container, lines: lines) } catch {
            throw OperationError(code: .engineUnavailable, message: "\(error)")
        }
    }

    /// What the probes of an exit said, newest first.
    package func history(of id: ExitID, limit: Int) async throws -> [HealthSample] {
        _ = try known(id)
        return try await read { try await ports.store.history(of: id, limit: limit) }
    }

    private func read<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        do { return try await body() } catch {
            throw OperationError(code: .storeUnavailable, message: "the store does not answer: \(error)")
        }
    }
}
