import Model
import Planning
import Testing

struct WriteBehindTests {
    @Test func `a write takes what is pending, and what fails is pending again`() {
        var writes = WriteBehind<Int>()
        #expect(writes.isEmpty && writes.begin().isEmpty)
        writes.mark([1, 2])
        let first = writes.begin()
        #expect(first == [1, 2] && writes.pending.isEmpty && !writes.isEmpty)
        writes.mark(3)
        #expect(writes.begin().isEmpty, "one write at a time")
        writes.end(first, isWritten: false)
        #expect(writes.pending == [1, 2, 3])
        let second = writes.begin()
        writes.end(second, isWritten: true)
        #expect(writes.isEmpty)
    }

    @Test func `the failure of a write that another value began changes nothing`() {
        var writes = WriteBehind<Int>()
        writes.mark(1)
        let old = writes.begin()
        writes = WriteBehind()
        writes.mark(2)
        writes.end(old, isWritten: false)
        #expect(writes.pending == [2])
    }

    /// Values that change, writes that take a while and fail, and a store that has what the last write has brought it.
    @Test(arguments: 1...100) func `once the writes succeed the store has the last value of each key`(seed: UInt64) {
        var random = SplitMix64(state: seed)
        var (writes, values, store) = (WriteBehind<Int>(), [Int: Int](), [Int: Int]())
        var underWay: (keys: Set<Int>, values: [Int: Int])?
        func end(isWritten: Bool) {
            guard let write = underWay else { return }
            if isWritten { store.merge(write.values) { $1 } }
            writes.end(write.keys, isWritten: isWritten)
            underWay = nil
        }
        for value in 1...300 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let key = Int.random(in: 1...5, using: &random)
                values[key] = value
                writes.mark(key)
            case 2:
                let keys = writes.begin()
                guard !keys.isEmpty else { continue }
                #expect(underWay == nil, "one write at a time")
                underWay = (keys, values.filter { keys.contains($0.key) })
            default: end(isWritten: Bool.random(using: &random))
            }
            #expect(!writes.isEmpty || store == values)
        }
        end(isWritten: true)
        let rest = writes.begin()
        store.merge(values.filter { rest.contains($0.key) }) { $1 }
        writes.end(rest, isWritten: true)
        #expect(writes.isEmpty && store == values)
    }
}
