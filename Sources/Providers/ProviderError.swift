/// A provider's API that did not give what was asked of it.
package struct ProviderError: Error, CustomStringConvertible {
    package enum Code: String, Sendable {
        case unreachable
        /// It lets this machine's address in no more: a refusal of what is public, or a page of something that guards the API.
        case blocked
        /// Status 429.
        case rateLimited = "rate_limited"
        /// The provider knows our access token or key no more.
        case credentialsRejected = "credentials_rejected"
        /// Statuses of 500 and above: it can't answer anybody now.
        case failing
        case badAnswer = "bad_answer"
    }

    package var code: Code
    package var provider: String
    package var message: String
    /// Seconds that it asks us to wait; nil where it says nothing.
    package var retryAfter: Double?

    package init(code: Code, provider: String, message: String, retryAfter: Double? = nil) {
        self.code = code
        self.provider = provider
        self.message = message
        self.retryAfter = retryAfter
    }

    package var isRetryable: Bool { code != .credentialsRejected }
    package var description: String { "\(provider): \(message)" }
}
