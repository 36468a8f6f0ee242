import Model
import Synchronization

/// Ids of requests, 16 hexadecimal digits: no two of a process are alike, and those of two processes hardly ever.
enum RequestID {
    private static let seed = UInt64.random(in: .min ... .max)
    private static let count = Atomic<UInt64>(0)

    static func next() -> String {
        // Its output function maps no two numbers to the same one.
        let number = SplitMix64.mixed(seed &+ count.wrappingAdd(1, ordering: .relaxed).oldValue &* SplitMix64.step)
        return String(unsafeUninitializedCapacity: 16) { buffer in
            for index in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: number >> (60 - 4 * index)) & 15
                buffer[index] = digit < 10 ? 0x30 + digit : 0x57 + digit
            }
            return 16
        }
    }

    /// The id that the caller gave, where that is plain.
    static func given(_ text: String?) -> String? {
        guard let text, (8...64).contains(text.utf8.count) else { return nil }
        let isPlain = text.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2D || $0 == 0x5F
        }
        return isPlain ? text : nil
    }
}
