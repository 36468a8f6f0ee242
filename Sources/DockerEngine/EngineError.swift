/// An Engine call that did not do what was asked.
package struct EngineError: Error, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// No engine answers on the socket.
        case unavailable
        /// It did not answer in time.
        case timedOut = "timed_out"
        case notFound = "not_found"
        /// Already so, or in use (HTTP 304, 409).
        case conflict
        /// A container can't start at the address that it was given: something on the network has it.
        case addressInUse = "address_in_use"
        /// Any other status from 400: the engine's own words are in `message`.
        case refused
        /// An answer that is not what the API's documentation says.
        case unreadable
        /// Older than `EngineClient.oldestVersion`.
        case tooOld = "too_old"
    }

    package var code: Code
    package var action: String
    package var message: String

    package var isRetryable: Bool { code == .unavailable || code == .timedOut }
    package var description: String { "\(action): \(message)" }
}
