@testable import HTTPServing
import Testing

@Suite(.timeLimit(.minutes(1))) struct BodyStreamTests {
    /// Everything that a stream gives until it has nothing, in parts of at most so many bytes.
    private func drain(_ stream: BodyStream, by size: Int) -> (bytes: [UInt8], isOver: Bool) {
        var all: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 1)
        defer { buffer.deallocate() }
        while true {
            switch stream.read(into: buffer, suspend: { {} }) {
            case .bytes(let count): all += buffer.prefix(count)
            case .nothingYet: return (all, false)
            case .end: return (all, true)
            }
        }
    }

    @Test(arguments: [1, 7, 64, 5000]) func `pieces come out whole and in their order`(size: Int) {
        let stream = BodyStream()
        var wanted: [UInt8] = []
        for turn in 0..<20 {
            var sent: [UInt8] = []
            for number in 0..<turn * 13 {
                let piece = [UInt8](repeating: UInt8(number & 255), count: number % 5)
                #expect(stream.send(piece))
                sent += piece
            }
            wanted += sent
            let drained = drain(stream, by: size)
            #expect(drained.bytes == sent && !drained.isOver)
        }
        #expect(wanted.count > 3000)
        stream.send([1, 2])
        stream.finish()
        #expect(drain(stream, by: size) == ([1, 2], true))
        #expect(!stream.send([3]))
    }

    /// In a queue whose cost grows with its length, 400,000 pieces would take many minutes.
    @Test func `a long queue costs no more for each piece than a short one`() {
        let stream = BodyStream(limit: 1 << 20)
        for number in 0..<400_000 { #expect(stream.send([UInt8(number & 255), UInt8(number >> 8 & 255)])) }
        let drained = drain(stream, by: 16 << 10)
        #expect(drained.bytes.count == 800_000 && drained.bytes[131_073] == 0 && drained.bytes[131_074] == 1)
    }

    @Test func `one that is too slow gets the rest of what it had begun with, its closingMessage and the end`() {
        let stream = BodyStream(limit: 10, closingMessage: [9, 9])
        #expect(stream.send([1, 2, 3, 4]) && stream.send([5, 6]))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 2, alignment: 1)
        defer { buffer.deallocate() }
        guard case .bytes(2) = stream.read(into: buffer, suspend: { nil }) else { return #expect(Bool(false)) }
        #expect(stream.send([7, 8, 9, 10]))
        #expect(!stream.send([11]), "eleven bytes of pieces wait, ten are the limit")
        #expect(drain(stream, by: 16) == ([3, 4, 9, 9], true))
    }
}
