import HTTPTransport
import Synchronization

/// Requests through a gateway without a pause, from several clients at once, until it is stopped.
final class GatewayLoad: Sendable {
    private let task: Task<Void, Never>
    private let counts = Counts()

    init(_ subject: GatewaySubject, user: String = "alice-country-us", workers: Int = 4, tunnels: Bool = false) {
        task = Task { [counts] in
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<workers {
                    group.addTask {
                        while !Task.isCancelled {
                            var request = subject.request(user, tunnels: tunnels)
                            request.deadline = 20
                            do {
                                let answer = try await subject.client.send(request)
                                counts.note(answer.status == 200 ? answer.text : nil, "\(answer.status) \(answer.text)")
                            } catch {
                                // The one that was under way when we stopped says nothing.
                                if !Task.isCancelled { counts.note(nil, "\(error)") }
                            }
                        }
                    }
                }
            }
        }
    }

    private final class Counts: Sendable {
        private let state = Mutex<(answers: [String: Int], failures: [String])>(([:], []))
        func note(_ answer: String?, _ failure: String) {
            state.withLock { state in
                if let answer { state.answers[answer, default: 0] += 1 } else { state.failures.append(failure) }
            }
        }
        var now: (answers: [String: Int], failures: [String]) { state.withLock { $0 } }
    }

    /// By exit, how many it has answered so far.
    var answers: [String: Int] { counts.now.answers }

    /// Ends the load; what failed.
    func stop() async -> [String] {
        task.cancel()
        await task.value
        return counts.now.failures
    }
}
