import Model

/// Growing pauses between tries, with jitter so that many exits don't try in step.
package struct BackOff: Sendable {
    /// Seconds before the second try, and the longest pause.
    package var first: Double
    package var longest: Double

    package init(first: Double = 0.5, longest: Double = 60) {
        self.first = first
        self.longest = longest
    }

    /// Seconds to wait after `attempts` failed tries (at least 1): doubled each time, spread over 75 to 125 percent by `salt`.
    package func pause(attempts: Int, salt: UInt64) -> Double {
        var doubled = first
        for _ in 1..<max(1, min(attempts, 32)) { doubled = min(longest, doubled * 2) }
        var generator = SplitMix64(state: salt &+ UInt64(max(0, attempts)))
        return doubled * Double.random(in: 0.75...1.25, using: &generator)
    }
}
