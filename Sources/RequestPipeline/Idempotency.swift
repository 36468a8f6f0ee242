import AccessControl
import FoundationEssentials
import HTTPServing
import Model
import OpenAPI
import Platform
import Synchronization

/// Remembers what POSTs with an `Idempotency-Key` were answered, for a day, so that one that is sent again is done once.
final class Idempotency: Sendable {
    /// What is kept of a request and, when it is done, of its answer.
    struct Record: Codable, Sendable {
        var fingerprint: String
        var status: Int?
        var location: String?
        var body: [UInt8]?
    }

    /// The header of an answer that was given before.
    static let replayed = "Idempotent-Replayed"
    private static let seconds = 86_400
    /// A request that takes longer than this to answer is taken for lost, with its controller.
    private static let runningSeconds = 300
    private static let capacity = 10_000

    private struct Kept {
        var record: Record
        var until: Timestamp
    }

    private let kept = Mutex<[String: Kept]>([:])
    private let shared: (any SharedMemory)?

    init(shared: (any SharedMemory)?) { self.shared = shared }

    /// Answers a request, or as it was answered before.
    /// - Parameter isSecret: the answer has a secret, which must not leave this process: other controllers, and this one after a
    ///   restart, answer without it.
    func answer(
        _ context: RequestContext, isSecret: Bool, _ body: @Sendable () async -> ServerResponse
    ) async -> ServerResponse {
        guard let header = context.request.headers["idempotency-key"] else { return await body() }
        let id = context.request.id
        guard let name = Self.name(header) else {
            let message = "expected 1 to 128 of A-Z a-z 0-9 _ . : - or, in double quotes, of printable ASCII"
            return APIProblem.invalid("Idempotency-Key", message).response(id: id)
        }
        // Another caller's key is another key.
        let key = "idempotency:" + Digest.sha256("\(context.key?.id ?? "")\n\(name)")
        let fingerprint = Digest.sha256(
            // With the name, which is kept nowhere: the body may hold a password, and nobody is to try words on its hash.
            Array("\(name) \(context.request.method) \(context.request.path) \(context.request.query)\n".utf8) + context.request.body)
        let record = Record(fingerprint: fingerprint)
        if let present = await claim(key, record) {
            guard present.fingerprint == fingerprint else {
                // Whether a key is free depends on what was asked before: a conflict, not a malformed request.
                return APIProblem(
                    status: 409, code: "key_reused", message: "the Idempotency-Key was used for another request, expected a new one"
                ).response(id: id)
            }
            guard let status = present.status else {
                return APIProblem(
                    status: 409, code: "in_progress", message: "the first request of this key is not answered yet",
                    headers: [("Retry-After", "1")]
                ).response(id: id)
            }
            var headers = [("Content-Type", "application/json"), (Self.replayed, "true")]
            if let location = present.location { headers.append(("Location", location)) }
            return ServerResponse(status: status, headers: headers.map { (name: $0.0, value: $0.1) }, body: present.body ?? [])
        }
        let response = await body()
        if response.status >= 500 {
            await forget(key)
        } else {
            var done = record
            done.status = response.status
            done.location = response.headers.first { $0.name == "Location" }?.value
            done.body = response.body
            await keep(key, done, isSecret: isSecret)
        }
        return response
    }

    /// What the header names: a bare word, or a string of structured fields (RFC 9651, section 4.2.5) with whatever parameters.
    /// - Returns: nil for anything else, and for names that are empty or longer than 128 characters.
    static func name(_ header: String) -> String? {
        guard header.hasPrefix("\"") else { return isWord(header) ? header : nil }
        var name: [UInt8] = []
        var rest = header.utf8.dropFirst()
        while let byte = rest.popFirst() {
            switch byte {
            case 0x22:
                guard (1...128).contains(name.count), rest.isEmpty || rest.first == 0x3B else { return nil }
                return String(decoding: name, as: UTF8.self)
            case 0x5C:
                guard let next = rest.popFirst(), next == 0x22 || next == 0x5C else { return nil }
                name.append(next)
            case 0x20...0x7E: name.append(byte)
            default: return nil
            }
        }
        return nil
    }

    private static func isWord(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                    || [0x5F, 0x2E, 0x3A, 0x2D].contains($0)
            }
    }

    /// Nil when the key is ours now, else what was there.
    private func claim(_ key: String, _ record: Record) async -> Record? {
        let now = SystemClock.now()
        let present = kept.withLock { kept -> Record? in
            if let present = kept[key], present.until > now { return present.record }
            if kept.count >= Self.capacity { kept = kept.filter { $0.value.until > now } }
            if kept.count >= Self.capacity, let oldest = kept.min(by: { $0.value.until < $1.value.until }) { kept[oldest.key] = nil }
            kept[key] = Kept(record: record, until: now + Double(Self.runningSeconds))
            return nil
        }
        if let present { return present }
        guard let shared, let text = Self.text(record) else { return nil }
        guard let there = try? await shared.claim(key, text, seconds: Self.runningSeconds) else { return nil }
        kept.withLock { $0[key] = nil }
        return try? JSONDecoder().decode(Record.self, from: Data(there.utf8))
    }

    private func keep(_ key: String, _ record: Record, isSecret: Bool) async {
        kept.withLock { $0[key] = Kept(record: record, until: SystemClock.now() + Double(Self.seconds)) }
        var told = record
        if isSecret { told.body = told.body.map(Secrets.removed) }
        if let shared, let text = Self.text(told) { try? await shared.put(key, text, seconds: Self.seconds) }
    }

    private func forget(_ key: String) async {
        kept.withLock { $0[key] = nil }
        if let shared { try? await shared.remove([key]) }
    }

    private static func text(_ record: Record) -> String? {
        (try? JSONEncoder().encode(record)).map { String(decoding: $0, as: UTF8.self) }
    }
}
