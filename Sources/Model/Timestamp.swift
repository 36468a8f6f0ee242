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

extension Timestamp {
    /// The next midnight in UTC.
    package var nextDay: Timestamp { Timestamp(milliseconds: (milliseconds / 86_400_000 + 1) * 86_400_000) }

    /// The next midnight in UTC that begins a month.
    package var nextMonth: Timestamp {
        var midnight = nextDay
        while midnight.description.dropFirst(8).prefix(2) != "01" { midnight = midnight + 86_400 }
        return midnight
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
        guard let year = Self.number(bytes[0..<4]), let month = Self.number(bytes[5..<7]), let day = Self.number(bytes[8..<10]),
            let hour = Self.number(bytes[11..<13]), let minute = Self.number(bytes[14..<16]), let second = Self.number(bytes[17..<19]),
            let millisecond = Self.number(bytes[20..<23]),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 60
        else { return nil }
        let inDay = ((hour * 60 + minute) * 60 + second) * 1000 + millisecond
        self.init(milliseconds: Int64(Self.days(year, month, day)) * 86_400_000 + Int64(inDay))
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        var value = 0
        for byte in digits {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int(byte - 0x30)
        }
        return value
    }

    /// Days since 1970-01-01.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
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
        guard let offset = Self.offset(of: rest) else { return nil }
        self = local + -offset
    }

    /// Seconds that a zone is ahead of UTC: `Z`, `+02:00`, `-05:30`.
    private static func offset(of zone: Substring) -> Double? {
        if zone == "Z" { return 0 }
        let parts = zone.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
        guard let sign = zone.first, sign == "+" || sign == "-", parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 }),
            let hours = UInt8(parts[0]), let minutes = UInt8(parts[1]), hours < 24, minutes < 60
        else { return nil }
        let seconds = Double(Int(hours) * 3600 + Int(minutes) * 60)
        return sign == "+" ? seconds : -seconds
    }
}

extension Timestamp: TextCodable {
    package static let form = "a time like 2026-11-21T01:02:03.456Z"
}
