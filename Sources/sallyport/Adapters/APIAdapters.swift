import API
import AccessControl
import AuditLog
import FoundationEssentials
import Model
import RedisStore
import RequestPipeline
import TimeSeries

// What the API keeps outside of the process, in Redis.

extension APIStore: SharedMemory {}

extension APIStore: KeyStore {
    func keys() async throws -> (keys: [APIKey], used: [String: Timestamp]) {
        let decoder = JSONDecoder()
        let keys = try await tables.rows(.keys).values.compactMap { try? decoder.decode(APIKey.self, from: Data($0.utf8)) }
        return (keys, try await table("keys:used").compactMapValues { Timestamp($0) })
    }

    func save(_ key: APIKey) async throws {
        try await change(.keys, [key.id: String(decoding: JSONEncoder().encode(key), as: UTF8.self)])
    }

    func removeKey(_ id: String) async throws {
        try await change(.keys, [id: nil])
        try await remove(id, from: "keys:used")
    }

    func noteUse(_ used: [String: Timestamp]) async throws { try await set("keys:used", used.mapValues(\.description)) }
}

extension APIStore: SettingStore {
    func settings() async throws -> [String: String] { try await tables.rows(.settings) }

    func save(settings: [String: String?]) async throws { try await change(.settings, settings) }
}

extension APIStore: AuditStore {
    func end() async throws -> AuditEnd {
        // A store that is not ours gets no entries of ours.
        try await tables.checkTrust()
        let end = try await auditEnd()
        return AuditEnd(head: end.head, first: end.first, last: end.last, count: end.count, highest: end.highest)
    }

    func append(_ lines: [AuditLine], expecting head: String?) async throws -> AuditAppending {
        guard let last = lines.last else { return .added }
        switch try await appendAudit(lines.map { ($0.seq, $0.text, $0.hash, $0.mac) }, expected: head, head: last.head.text) {
        case 0: return .added
        case 1: return .present
        default: return .moved
        }
    }

    func lines(after seq: Int, limit: Int) async throws -> [AuditLine] {
        try await auditLines(after: seq, limit: limit).map { AuditLine(seq: $0.seq, text: $0.text, hash: $0.hash, mac: $0.mac) }
    }

    func lines(before seq: Int, limit: Int) async throws -> [AuditLine] {
        try await auditLines(before: seq, limit: limit).map { AuditLine(seq: $0.seq, text: $0.text, hash: $0.hash, mac: $0.mac) }
    }

    func removeLines(upTo seq: Int) async throws { try await removeAudit(upTo: seq) }
    func setAside() async throws { try await setAuditAside() }
}

extension APIStore: FigureStore {
    func append(_ sample: String, to series: FigureSeries) async throws {
        try await appendFigure(sample, to: series.rawValue, count: series == .fine ? 360 : 288)
    }

    func samples(of series: FigureSeries, after id: String?) async throws -> (samples: [String], last: String?) {
        try await figures(of: series.rawValue, after: id)
    }
}
