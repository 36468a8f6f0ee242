/// HAProxy did not do what it was told.
package struct HAProxyError: Error, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// Nothing answers on its socket.
        case unavailable
        /// It refused a command; its own words are in `message`.
        case refused
        /// `haproxy -c` finds fault with the rendered file.
        case badConfiguration = "bad_configuration"
        /// It runs, but not what it was given.
        case disagrees
        case notInstalled = "not_installed"
    }

    package var code: Code
    package var action: String
    package var message: String
    package var description: String { "\(action): \(message)" }
}
