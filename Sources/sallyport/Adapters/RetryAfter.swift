import Model
import Platform

/// The header of that name (RFC 9110, section 10.2.3).
enum RetryAfter {
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// Seconds to wait, from a number or a date; nil where it is neither. A date that has passed is 0.
    static func seconds(_ text: String) -> Double? { seconds(text, SystemClock.now()) }

    static func seconds(_ text: String, _ now: Timestamp) -> Double? {
        if let whole = Int(text) { return Double(max(0, whole)) }
        // Wed, 21 Oct 2026 07:28:00 GMT
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let month = months.firstIndex(of: String(words[2])), words[1].count == 2 else {
            return nil
        }
        let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
        return Timestamp(rfc3339: "\(words[3])-\(number)-\(words[1])T\(words[4])Z").map { max(0, $0 - now) }
    }
}
