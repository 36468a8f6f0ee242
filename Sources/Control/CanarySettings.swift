package import Model

/// Which targets are asked through exits, and what follows where one is blocked.
package struct CanarySettings: Sendable {
    package var list: [Canary] = []
    /// Seconds between two questions to each target through each exit.
    package var seconds = 1_800.0

    package init() {}
}
