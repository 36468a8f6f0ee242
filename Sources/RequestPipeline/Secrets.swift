import Model
import OpenAPI

/// The fields of answers that hold a secret which is shown once.
enum Secrets {
    private static let fields = ["password", "key", "secret", "token"]

    /// With stars in their place.
    static func masked(_ answer: [String: Document]) -> [String: Document] {
        answer.merging(fields.filter { answer[$0] != nil }.map { ($0, .string("********")) }) { $1 }
    }

    /// An answer's body without them.
    static func removed(_ body: [UInt8]) -> [UInt8] {
        guard case .object(let answer)? = try? Document(json: body) else { return body }
        return Document.object(answer.filter { !fields.contains($0.key) }).jsonBytes
    }
}
