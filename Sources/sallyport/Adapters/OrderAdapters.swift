import Control
import FoundationEssentials
import Model
import Platform
import RedisStore
import Synchronization

/// Orders and their answers as JSON in Redis, each with a code: an order is an operator's change, and none may be made up, altered or
/// given twice.
final class RedisOrders: OrderRelay {
    /// What is handed over; the time is by Redis's clock, which all controllers share.
    private struct Envelope: Codable {
        var at: Int
        var order: String
        var code: String
    }

    /// Seconds that an order counts: longer than anybody waits for its answer.
    private static let seconds = 60
    private let queue: OrderQueue
    private let authenticator: Authenticator
    private let log: Log
    /// Orders on their way, as they were sent; and those that were taken lately, with their time.
    private let sent = Mutex<[String: String]>([:])
    private let taken = Mutex<[String: Int]>([:])

    init(queue: OrderQueue, rootKey: RootKey, log: Log) {
        self.queue = queue
        authenticator = Authenticator(rootKey, purpose: "store/orders")
        self.log = log
    }

    func send(_ order: HandedOrder, id: String) async throws {
        let at = try await queue.now()
        let words = try text(order)
        let envelope = try text(Envelope(at: at, order: words, code: authenticator.code(["order", id, String(at), words])))
        sent.withLock { $0[id] = envelope }
        try await queue.send(envelope, id: id)
    }

    func withdraw(_ order: HandedOrder, id: String) async throws -> Bool {
        guard let envelope = sent.withLock({ $0.removeValue(forKey: id) }) else { return false }
        return try await queue.withdraw(envelope, id: id)
    }

    func answer(to id: String) async throws -> OrderAnswer? {
        guard let text = try await queue.answer(to: id) else { return nil }
        guard let envelope = try? JSONDecoder().decode(Envelope.self, from: Data(text.utf8)),
            authenticator.check(envelope.code, ["answer", id, envelope.order]) == .valid
        else {
            log.error("an answer to an order is not used: no controller of this store has written it", ["id": id])
            return nil
        }
        sent.withLock { $0[id] = nil }
        return try JSONDecoder().decode(OrderAnswer.self, from: Data(envelope.order.utf8))
    }

    func next() async throws -> (id: String, order: HandedOrder)? {
        while let (id, text) = try await queue.next() {
            guard let envelope = try? JSONDecoder().decode(Envelope.self, from: Data(text.utf8)),
                authenticator.check(envelope.code, ["order", id, String(envelope.at), envelope.order]) == .valid
            else {
                log.error("an order is not carried out: no controller of this store has written it", ["id": id])
                continue
            }
            let now = try await queue.now()
            guard abs(now - envelope.at) <= Self.seconds, isNew(id, envelope.at, now) else {
                log.error("an order is not carried out: it is an old one that was put back", ["id": id])
                continue
            }
            _ = try Document(json: envelope.order.utf8)
            return (id, try JSONDecoder().decode(HandedOrder.self, from: Data(envelope.order.utf8)))
        }
        return nil
    }

    private func isNew(_ id: String, _ at: Int, _ now: Int) -> Bool {
        taken.withLock { taken in
            taken = taken.filter { now - $0.value <= 2 * Self.seconds }
            return taken.updateValue(at, forKey: id) == nil
        }
    }

    func answer(_ id: String, with answer: OrderAnswer) async throws {
        let words = try text(answer)
        try await queue.answer(id, with: text(Envelope(at: 0, order: words, code: authenticator.code(["answer", id, words]))))
    }

    private func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
