/// Measured figures as people read them.
package enum Figures {
    /// "0.04 ms", "12.3 ms": two digits below one millisecond, one above.
    package static func milliseconds(_ number: Double) -> String { "\(decimal(number, digits: number < 1 ? 2 : 1)) ms" }

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
