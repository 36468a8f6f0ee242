import Catalog
import Model
import Synchronization

/// A provider whose answers a test decides.
final class FakeSource: ServerSource {
    struct Failure: Error {}
    let provider: ProviderName
    private let state: Mutex<(answers: [[Server]?], fetches: Int)>

    /// - Parameter answers: in order, nil for a failure; the last one stays.
    init(_ provider: ProviderName = .nordvpn, _ answers: [Server]?...) {
        self.provider = provider
        state = Mutex((answers, 0))
    }

    var fetches: Int { state.withLock { $0.fetches } }

    func list(newerThan stamp: ListStamp?) async throws -> ListAnswer {
        try await Task.sleep(for: .milliseconds(20))
        let answer = state.withLock { state in
            state.fetches += 1
            return state.answers.count > 1 ? state.answers.removeFirst() : state.answers[0]
        }
        guard let answer else { throw Failure() }
        return .list(servers: answer, dropped: ["offline": 1], stamp: ListStamp())
    }
}
