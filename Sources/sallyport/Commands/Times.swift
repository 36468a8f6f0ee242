import Glibc
import Model

/// Times as people read them.
enum Times {
    static let option = Option(name: "utc", help: "times in UTC instead of this machine's zone")

    /// "2026-12-01 03:31:38 CET", of a time as the API writes it; what is none stays as it is.
    static func text(_ value: String, isUTC: Bool) -> String {
        guard let time = Timestamp(rfc3339: value) else { return value }
        var seconds = time_t(time.milliseconds / 1000)
        var parts = tm()
        if isUTC { gmtime_r(&seconds, &parts) } else { localtime_r(&seconds, &parts) }
        var buffer = [CChar](repeating: 0, count: 64)
        let count = strftime(&buffer, buffer.count, isUTC ? "%Y-%m-%d %H:%M:%S UTC" : "%Y-%m-%d %H:%M:%S %Z", &parts)
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension Arguments {
    /// A field of an answer that is a time; nil where it is not there.
    func time(_ value: Document?) -> String? { value?.text.map { Times.text($0, isUTC: has("utc")) } }
}
