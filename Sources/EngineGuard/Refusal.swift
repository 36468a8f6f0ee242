/// A request that goes no further: what is answered, in the shape of the engine's own errors.
struct Refusal: Error, Hashable {
    /// 400 for what is no request that we read, 403 for what is not let through, 408 and 413 for limits, 502 where the engine is away.
    var status: Int
    /// What is wrong and what would be right.
    var message: String

    static func forbidden(_ message: String) -> Refusal { Refusal(status: 403, message: message) }
    static func malformed(_ message: String) -> Refusal { Refusal(status: 400, message: message) }
}

/// Why the guard can't begin.
package struct GuardError: Error, CustomStringConvertible {
    package var description: String
}

/// Texts of a client's in messages and logs: without what moves a cursor, and short.
func shown(_ text: some StringProtocol) -> String {
    let plain = text.utf8.prefix(80).map { (0x20..<0x7F).contains($0) ? $0 : UInt8(ascii: "?") }
    return String(decoding: plain, as: UTF8.self) + (text.utf8.count > 80 ? "..." : "")
}
