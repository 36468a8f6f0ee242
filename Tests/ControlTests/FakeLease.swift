import Control
import Model
import Platform
import Synchronization
import TestSupport

/// Through it goes everything that a controller does outside; while it is closed, the controller is a stopped process.
final class Gate: Sendable {
    private let closed = Mutex(false)
    private let time = SimulatedTime.current
    func close() { closed.withLock { $0 = true } }
    func open() { closed.withLock { $0 = false } }
    func pass() async throws { while closed.withLock({ $0 }) { try await time.sleep(seconds: 0.005) } }
}

/// One controller's line to the lease in the world.
struct FakeLease: LeaseStore, CommandRelay {
    let world: FakeWorld
    let gate: Gate

    private func reach<Value: Sendable>(_ body: (inout sending FakeWorld.State) -> sending Value) async throws -> Value {
        try await gate.pass()
        guard !world.with({ $0.away.contains(.store) }) else { throw Away() }
        return world.with(body)
    }

    func claim(_ claim: LeaseClaim) async throws -> LeaseAnswer {
        let now = world.time.instant
        return try await reach { state in
            if let lease = state.lease, lease.until > now, lease.claim.token != claim.token {
                return LeaseAnswer(isOurs: false, fence: lease.fence, holder: lease.claim.instance, version: state.version)
            }
            var fence = claim.fence
            if fence == 0 || state.fence > fence || claim.highest > fence { fence = max(state.fence, claim.highest) + 1 }
            let hasForgotten = claim.fence > state.fence
            state.fence = fence
            state.lease = (claim, fence, now + .milliseconds(claim.milliseconds))
            return LeaseAnswer(isOurs: true, fence: fence, holder: claim.instance, version: state.version, hasForgotten: hasForgotten)
        }
    }

    func resign(token: String) async throws {
        try await reach { state in if state.lease?.claim.token == token { state.lease = nil } }
    }

    func send(_ command: ForwardedCommand, id: String) async throws { try await reach { $0.commands.append((id, command)) } }

    func withdraw(_ command: ForwardedCommand, id: String) async throws -> Bool {
        try await reach { state in
            let index = state.commands.firstIndex { $0.id == id }
            if let index { state.commands.remove(at: index) }
            return index != nil
        }
    }

    func answer(to id: String) async throws -> CommandAnswer? { try await reach { $0.answers.removeValue(forKey: id) } }
    func next() async throws -> (id: String, command: ForwardedCommand)? {
        try await reach { $0.commands.isEmpty ? nil : $0.commands.removeFirst() }
    }
    func answer(_ id: String, with answer: CommandAnswer) async throws { try await reach { $0.answers[id] = answer } }
}
