/// Measured figures as people read them.
package enum Figures {
    /// "0.04 ms", "12.3 ms": two digits below one millisecond, one above.
    package static func milliseconds(_ number: Double) -> String { "\(decimal(number, digits: number < 1 ? 2 : 1)) ms" }

    /// "512 bytes", "1.2 MB", "50.0 GB": thousands, as the limits of users have them.
    package static func bytes(_ number: Double) -> String {
        var (rest, units) = (abs(number), ["kB", "MB", "GB", "TB", "PB"][...])
        guard rest >= 1000 else { return "\(decimal(number, digits: 0)) bytes" }
        rest /= 1000
        // What is rounded up to a thousand has the next unit.
        while rest >= 999.95, units.count > 1 {
            rest /= 1000
            units = units.dropFirst()
        }
        return "\(number < 0 ? "-" : "")\(decimal(rest, digits: 1)) \(units.first ?? "")"
    }

    /// "12 s", "5 min", "3 h", "2 d": whole ones, rounded down.
    package static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, abs(seconds) < 1e12 else { return "?" }
        let units = [(86_400.0, "d"), (3_600, "h"), (60, "min")]
        guard let (size, name) = units.first(where: { abs(seconds) >= 2 * $0.0 }) else { return "\(Int(seconds)) s" }
        return "\(Int(seconds / size)) \(name)"
    }

    /// A number with that many digits behind the point, 0 to 6.
    package static func decimal(_ number: Double, digits: Int) -> String {
        guard number.isFinite, abs(number) < 1e12 else { return "?" }
        var scale = 1
        for _ in 0..<max(0, min(digits, 6)) { scale *= 10 }
        let rounded = Int((abs(number) * Double(scale)).rounded())
        let sign = number < 0 && rounded > 0 ? "-" : ""
        guard scale > 1 else { return "\(sign)\(rounded)" }
        let fraction = String(rounded % scale)
        return "\(sign)\(rounded / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}
