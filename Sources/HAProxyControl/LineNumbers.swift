import Glibc

/// HAProxy's own count of the lines that it has sent, by which those are missed that nobody has received: `line=<pid>:<frontend>:<number>`,
/// from 0 for each worker and frontend.
///
/// HAProxy tells a full queue only (`DroppedLogs`), and nothing of lines that it has sent while nobody listened. Threads send lines in
/// another order than they number them, so a line is missed only when it has not come within a second.
struct LineNumbers {
    private struct Count {
        /// The first number that counts.
        var base: Int
        var highest: Int
        var received = 1
        /// Missing lines that were told of, and those of the last look.
        var told = 0
        var missing = 0
        var usedAt: ContinuousClock.Instant = .now

        var lacking: Int { max(0, highest - base + 1 - received) }
    }

    private var counts: [String: Count] = [:]
    private var lookedAt: ContinuousClock.Instant = .now
    /// False in the first second, in which lines come from workers that somebody else may have listened to.
    private var firstSecondIsOver = false
    /// Workers and frontends that are remembered at once.
    private static let limit = 256

    /// - Parameter tail: the end of the file as an earlier controller has left it.
    init(tail: [UInt8] = []) {
        for line in tail.split(separator: 0x0A) { add(line) }
        for key in counts.keys {
            guard let highest = counts[key]?.highest else { continue }
            counts[key]?.base = highest
            counts[key]?.received = 1
        }
    }

    mutating func add(_ line: some BidirectionalCollection<UInt8>) {
        guard let (key, number) = Self.read(line) else { return }
        guard var count = counts[key], number + 10_000 > count.highest else {
            if counts.count >= Self.limit, let oldest = counts.min(by: { $0.value.usedAt < $1.value.usedAt })?.key { counts[oldest] = nil }
            // A worker that began while we listen sends 0 first.
            counts[key] = Count(base: firstSecondIsOver ? 0 : number, highest: number)
            return
        }
        if number < count.base { count.base = number }
        count.highest = max(count.highest, number)
        count.received += 1
        count.usedAt = .now
        counts[key] = count
    }

    /// How many lines more are missing for good; looks once a second.
    mutating func missed() -> Int {
        guard .now - lookedAt >= .seconds(1) else { return 0 }
        lookedAt = .now
        firstSecondIsOver = true
        var sum = 0
        for (key, count) in counts where count.lacking > 0 || count.missing > 0 {
            let certain = min(count.missing, count.lacking)
            sum += max(0, certain - count.told)
            counts[key]?.told = max(count.told, certain)
            counts[key]?.missing = count.lacking
        }
        return sum
    }

    private static func read(_ line: some BidirectionalCollection<UInt8>) -> (key: String, number: Int)? {
        for word in line.split(separator: 0x20).reversed() where word.starts(with: "line=".utf8) {
            let text = String(decoding: word.dropFirst(5), as: UTF8.self)
            guard let colon = text.lastIndex(of: ":"), let number = Int(text[text.index(after: colon)...]) else { return nil }
            return (String(text[..<colon]), number)
        }
        return nil
    }
}
