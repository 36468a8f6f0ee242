import HTTPServing
import Model

/// A reader that must first get older events from the store.
struct CatchUpReader: Sendable {
    let stream: BodyStream
    let filter: EventFilter
    /// The last event that it has seen.
    let place: EventPlace
}
