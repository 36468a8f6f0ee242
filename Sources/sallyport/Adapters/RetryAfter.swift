import Model
import Platform

/// The header of that name (RFC 9110, section 10.2.3).
enum RetryAfter {
    /// Seconds to wait, from a number or a date; nil where it is neither. A date that has passed is 0.
    static func seconds(_ text: String) -> Double? { seconds(text, SystemClock.now()) }

    static func seconds(_ text: String, _ now: Timestamp) -> Double? {
        if let whole = Int(text) { return Double(max(0, whole)) }
        return HTTPDate.read(text).map { max(0, $0 - now) }
    }
}
