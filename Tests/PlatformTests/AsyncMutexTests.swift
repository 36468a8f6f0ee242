import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct AsyncMutexTests {
    /// An actor whose method would be entered by many at its `await`.
    private actor Bank {
        private let mutex = AsyncMutex()
        private(set) var balance = 0
        private(set) var order: [Int] = []

        func add(_ number: Int) async throws {
            try await mutex.withLock {
                let before = balance
                try await Task.sleep(for: .milliseconds(1))
                if number % 10 == 9 { throw TimeoutError(what: "a failure") }
                balance = before + 1
                order.append(number)
            }
        }
    }

    @Test func `one holds the lock at a time, also after one that fails`() async throws {
        let bank = Bank()
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<100 { group.addTask { try? await bank.add(number) } }
        }
        #expect(await bank.balance == 90)
    }

    @Test func `a cancelled caller frees the lock`() async throws {
        let bank = Bank()
        let tasks = (0..<20).map { number in Task { try? await bank.add(number) } }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        try await bank.add(1)
        #expect(await bank.order.last == 1)
    }

    @Test func `waiting is on a thread of nobody's, and callers get the lock in their order`() async throws {
        let mutex = AsyncMutex()
        let began = Task { await mutex.withLock { try? await Task.sleep(for: .milliseconds(200)) } }
        try await Task.sleep(for: .milliseconds(50))
        actor Order { var numbers: [Int] = []; func add(_ number: Int) { numbers.append(number) } }
        let order = Order()
        var tasks: [Task<Void, Never>] = []
        for number in 0..<10 {
            tasks.append(Task { await mutex.withLock { await order.add(number) } })
            try await Task.sleep(for: .milliseconds(5))
        }
        await began.value
        for task in tasks { await task.value }
        #expect(await order.numbers == Array(0..<10))
    }
}
