import Glibc

/// Header fields that many answers have, ready for libmicrohttpd: handed over without being made anew for each.
package final class ConstantHeaders: Sendable {
    package let all: [(name: String, value: String)]
    /// Never changed, and freed with this.
    private struct Text: @unchecked Sendable { let pointer: UnsafeMutablePointer<CChar> }
    private let texts: [(name: Text, value: Text)]

    package init(_ headers: [(name: String, value: String)]) {
        all = headers
        texts = headers.compactMap { header in
            guard let name = strdup(header.name), let value = strdup(header.value) else { return nil }
            return (Text(pointer: name), Text(pointer: value))
        }
    }

    deinit {
        for text in texts {
            free(text.name.pointer)
            free(text.value.pointer)
        }
    }

    /// The fields as C strings, which live as long as this.
    func forEach(_ body: (UnsafePointer<CChar>, UnsafePointer<CChar>) -> Void) {
        for text in texts { body(text.name.pointer, text.value.pointer) }
    }
}
