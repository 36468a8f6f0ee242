/// What a proxy user's usage is counted under. Another user of the same name, made later, has another account.
package struct UserAccount: Hashable, Sendable, CustomStringConvertible {
    /// The user's name, `@`, and the milliseconds of the user's creation in base 36: `alice@lx3f`. At most 44 bytes of letters, digits
    /// and `_ . @`.
    package let description: String

    /// Takes any text, as the gateway's tables and Redis hold it.
    package init(_ text: String) { description = text }

    init(name: String, createdAt: Timestamp) {
        description = "\(name)@\(String(max(0, createdAt.milliseconds), radix: 36))"
    }

    /// No name contains the sign.
    package var userName: String { String(description.prefix { $0 != "@" }) }
}
