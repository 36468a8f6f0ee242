import Model
import Platform

/// What is told of this process.
struct ProcessFacts: Sendable {
    let version: String
    let startedAt = SystemClock.now()
}
