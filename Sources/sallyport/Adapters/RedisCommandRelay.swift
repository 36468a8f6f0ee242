import Control
import FoundationEssentials
import Model
import Platform
import RedisStore
import Synchronization

/// Commands and their answers as JSON in Redis, each with a code: no command may be made up, altered or given twice.
/// A command counts for one leader's term, so that the next leader does not do again what that one has done.
final class RedisCommandRelay: CommandRelay {
    /// What is handed over; the time is by Redis's clock, which all controllers share.
    private struct Envelope: Codable {
        var at: Int
        /// The fencing number of the leader that it is meant for; nil in answers.
        var term: Int?
        /// A command, or an answer to one, as JSON.
        var text: String
        var code: String

        private enum CodingKeys: String, CodingKey {
            case at, term, code
            case text = "order"
        }
    }

    /// Seconds of Redis's clock that a command counts: as long as anybody waits for its answer.
    private let seconds: Int
    /// Seconds that the alert of a command which is none stands.
    private static let alertSeconds = 600.0
    private let queue: CommandQueue
    private let authenticator: Authenticator
    private let leadership: Leadership
    private let alertReporter: AlertReporter
    private let log: Log
    /// Commands on their way, as they were sent; and those that were taken lately, with their time.
    private let sent = Mutex<[String: String]>([:])
    private let taken = Mutex<[String: Int]>([:])
    /// How many commands were refused since the alert began, and when the last one was.
    private let refused = Mutex<(count: Int, last: ContinuousClock.Instant)?>(nil)

    init(queue: CommandQueue, rootKey: RootKey, leadership: Leadership, alertReporter: AlertReporter, log: Log, seconds: Int = 16) {
        self.queue = queue
        authenticator = Authenticator(rootKey, purpose: "store/orders")
        self.leadership = leadership
        self.alertReporter = alertReporter
        self.log = log
        self.seconds = seconds
    }

    func send(_ command: ForwardedCommand, id: String) async throws {
        let at = try await queue.now()
        let (words, term) = (try text(command), leadership.term)
        let code = authenticator.code(Self.parts(id, at, term, words))
        let envelope = try text(Envelope(at: at, term: term, text: words, code: code))
        sent.withLock { $0[id] = envelope }
        try await queue.send(envelope, id: id)
    }

    private static func parts(_ id: String, _ at: Int, _ term: Int, _ words: String) -> [String] {
        ["order", id, String(at), String(term), words]
    }

    func withdraw(_ command: ForwardedCommand, id: String) async throws -> Bool {
        guard let envelope = sent.withLock({ $0.removeValue(forKey: id) }) else { return false }
        return try await queue.withdraw(envelope, id: id)
    }

    func answer(to id: String) async throws -> CommandAnswer? {
        guard let text = try await queue.answer(to: id) else { return nil }
        guard let envelope = try? JSONDecoder().decode(Envelope.self, from: Data(text.utf8)),
            authenticator.check(envelope.code, ["answer", id, envelope.text]) == .valid
        else {
            log.error("an answer to a command is not used: no controller of this store has written it", ["id": id])
            return nil
        }
        sent.withLock { $0[id] = nil }
        return try JSONDecoder().decode(CommandAnswer.self, from: Data(envelope.text.utf8))
    }

    func next() async throws -> (id: String, command: ForwardedCommand)? {
        clearOld()
        while let (id, text) = try await queue.next() {
            guard let envelope = try await envelope(id, text) else { continue }
            guard envelope.term == leadership.fence else {
                // Whoever waits for it sends it anew. An answer that is there already stays.
                log.info("a command was meant for another leader", ["id": id])
                try await answer(id, with: .missed, isFirst: true)
                continue
            }
            _ = try Document(json: envelope.text.utf8)
            return (id, try JSONDecoder().decode(ForwardedCommand.self, from: Data(envelope.text.utf8)))
        }
        return nil
    }

    /// Nil for one that no controller of this store has written, and for an old one.
    private func envelope(_ id: String, _ text: String) async throws -> Envelope? {
        guard let envelope = try? JSONDecoder().decode(Envelope.self, from: Data(text.utf8)), let term = envelope.term,
            authenticator.check(envelope.code, Self.parts(id, envelope.at, term, envelope.text)) == .valid
        else {
            refuse(id, "no controller of this store has written it")
            return nil
        }
        let now = try await queue.now()
        guard abs(now - envelope.at) <= seconds, isNew(id, envelope.at, now) else {
            refuse(id, "it is an old one that was put back")
            return nil
        }
        return envelope
    }

    private func refuse(_ id: String, _ reason: String) {
        let count = refused.withLock { refused in
            refused = ((refused?.count ?? 0) + 1, .now)
            return refused?.count ?? 1
        }
        // Who floods the queue does not flood the log.
        if count == 1 || count.isMultiple(of: 1000) {
            log.error("a command is not carried out: \(reason)", ["id": id, "refused": String(count)])
        }
        alertReporter.raise(
            .orders, "commands that came through Redis are not carried out, the last because \(reason); so far \(count)",
            remedy: "somebody else can write to Redis: find out who")
    }

    private func clearOld() {
        let isOver = refused.withLock { refused in
            guard let last = refused?.last, .now - last > .seconds(Self.alertSeconds) else { return false }
            refused = nil
            return true
        }
        if isOver { alertReporter.clear(.orders) }
    }

    private func isNew(_ id: String, _ at: Int, _ now: Int) -> Bool {
        taken.withLock { taken in
            taken = taken.filter { now - $0.value <= 2 * seconds }
            return taken.updateValue(at, forKey: id) == nil
        }
    }

    func answer(_ id: String, with answer: CommandAnswer) async throws { try await self.answer(id, with: answer, isFirst: false) }

    private func answer(_ id: String, with answer: CommandAnswer, isFirst: Bool) async throws {
        let words = try text(answer)
        let envelope = Envelope(at: 0, term: nil, text: words, code: authenticator.code(["answer", id, words]))
        try await queue.answer(id, with: text(envelope), isFirst: isFirst)
    }

    private func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
