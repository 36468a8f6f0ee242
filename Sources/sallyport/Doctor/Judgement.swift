/// What a check says of what it has found, and what to do about it.
struct Judgement: Sendable, Equatable {
    enum Verdict: String, Sendable, CaseIterable, Comparable {
        case pass, warning, fault
        static func < (left: Verdict, right: Verdict) -> Bool { left.rank < right.rank }
        private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    }

    var verdict: Verdict
    /// One sentence without a full stop.
    var message: String
    /// What an operator does; nil only where nothing is to be done.
    var remedy: String?

    static func pass(_ message: String) -> Judgement { Judgement(verdict: .pass, message: message, remedy: nil) }

    static func warning(_ message: String, _ remedy: String) -> Judgement {
        Judgement(verdict: .warning, message: message, remedy: remedy)
    }

    static func fault(_ message: String, _ remedy: String) -> Judgement { Judgement(verdict: .fault, message: message, remedy: remedy) }

    /// Message and remedy in one line.
    var sentence: String { [message, remedy].compactMap(\.self).joined(separator: "; ") }

    /// For a start, which a fault ends.
    func refuseFault() throws { if verdict == .fault { throw StartError(message: sentence) } }
}

/// One thing that the doctor looks at.
struct Check: Sendable {
    var name: String
    /// The most that it may take.
    var seconds = 5.0
    var run: @Sendable () async -> Judgement
}

/// A check that has ended.
struct Finding: Sendable, Equatable {
    var name: String
    var judgement: Judgement
}

/// Checks side by side.
enum Checkup {
    /// The findings, in the order of the checks.
    /// - Parameter waits: told after each check which ones are awaited still.
    static func run(_ checks: [Check], waits: (_ done: Int, _ for: [String]) -> Void) async -> [Finding] {
        var found: [String: Judgement] = [:]
        waits(0, checks.map(\.name))
        await withTaskGroup(of: (String, Judgement).self) { group in
            for check in checks { group.addTask { (check.name, await judgement(of: check)) } }
            for await (name, judgement) in group {
                found[name] = judgement
                waits(found.count, checks.map(\.name).filter { found[$0] == nil })
            }
        }
        return checks.compactMap { check in found[check.name].map { Finding(name: check.name, judgement: $0) } }
    }

    /// What a check says within its time. One that takes longer goes on by itself, and nobody waits for it.
    private static func judgement(of check: Check) async -> Judgement {
        let (judgements, answer) = AsyncStream<Judgement>.makeStream(bufferingPolicy: .bufferingOldest(1))
        let work = Task { answer.yield(await check.run()) }
        let alarm = Task {
            try? await Task.sleep(for: .seconds(check.seconds))
            answer.finish()
        }
        defer {
            work.cancel()
            alarm.cancel()
        }
        for await judgement in judgements { return judgement }
        return .fault("no answer within \(Int(check.seconds.rounded(.up))) s", "look what it waits for, and ask again")
    }
}
