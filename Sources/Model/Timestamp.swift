/// A moment in wall-clock time: milliseconds since 1970-01-01T00:00:00Z. Written in JSON as RFC 3339 in UTC.
package struct Timestamp: Hashable, Comparable, Sendable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }
    package static func + (time: Timestamp, seconds: Double) -> Timestamp {
        Timestamp(milliseconds: time.milliseconds + Int64(seconds * 1000))
    }
    /// Seconds from `earlier` to `later`; negative when the clock went back.
    package static func - (later: Timestamp, earlier: Timestamp) -> Double {
        Double(later.milliseconds - earlier.milliseconds) / 1000
    }
}

extension Timestamp: CustomStringConvertible {
    /// "2026-11-21T01:02:03.456Z" (RFC 3339). Civil date by the proleptic Gregorian calendar.
    package var description: String {
        let days = Int((Double(milliseconds) / 86_400_000).rounded(.down))
        let inDay = Int(milliseconds - Int64(days) * 86_400_000)
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
        let seconds = inDay / 1000
        let time = "\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
        return "\(date)T\(time).\(padded(inDay % 1000, 3))Z"
    }

    private func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// Reads what `description` writes; nil for anything else.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 24, bytes[4] == 0x2D, bytes[10] == 0x54, bytes[19] == 0x2E, bytes[23] == 0x5A else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            var value = 0
            for byte in bytes[range] {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value * 10 + Int(byte - 0x30)
            }
            return value
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), let millisecond = number(20..<23),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 60
        else { return nil }
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        let inDay = ((hour * 60 + minute) * 60 + second) * 1000 + millisecond
        self.init(milliseconds: Int64(days) * 86_400_000 + Int64(inDay))
    }
}

extension Timestamp {
    /// Reads any date-time of RFC 3339, section 5.6: with or without a fraction, which is cut to milliseconds, and in any zone.
    package init?(rfc3339 text: String) {
        var rest = text.uppercased()[...]
        guard rest.utf8.count >= 20, rest.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
        let start = String(rest.prefix(19))
        rest = rest.dropFirst(19)
        var fraction = "000"
        if rest.first == "." {
            let digits = rest.dropFirst().prefix { $0.isNumber }
            guard !digits.isEmpty else { return nil }
            fraction = String((digits + "00").prefix(3))
            rest = rest.dropFirst(digits.count + 1)
        }
        // A leap second is the last one of its minute, as on most clocks.
        let plain = start.hasSuffix(":60") ? start.dropLast(2) + "59" : start[...]
        guard let local = Timestamp("\(plain).\(fraction)Z") else { return nil }
        if rest == "Z" {
            self = local
            return
        }
        let parts = rest.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
        guard let sign = rest.first, sign == "+" || sign == "-", parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 }),
            let hours = UInt8(parts[0]), let minutes = UInt8(parts[1]), hours < 24, minutes < 60
        else { return nil }
        let seconds = Double(Int(hours) * 3600 + Int(minutes) * 60)
        self = local + (sign == "+" ? -seconds : seconds)
    }
}

extension Timestamp: TextCodable {
    package static let form = "a time like 2026-11-21T01:02:03.456Z"
}
