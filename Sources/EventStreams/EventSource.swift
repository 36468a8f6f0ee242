package import Model

/// The log of events, wherever it is kept, as the stream of events reads it.
package protocol EventSource: Sendable {
    /// The log's last piece.
    func latest(limit: Int) async throws -> EventPage
    /// The piece after a place, and whether something between is lost.
    func page(after place: EventPlace, limit: Int) async throws -> EventPage
    /// Waits for events after a place, for some seconds at most; an empty piece where none came. It is for one caller.
    func next(after place: EventPlace, limit: Int) async throws -> EventPage
    /// Ends the wait under way, and every later one, with an error.
    func interrupt()
    /// Events of this process that the store did not take, each time when it was tried.
    var unstored: AsyncStream<[Event]> { get }
}
