package import HTTPServing

extension APIProblem {
    /// The store gave no answer, or refused: what was asked for may be tried again.
    package static func storeUnavailable(_ error: any Error) -> APIProblem {
        APIProblem(
            status: 503, code: "store_unavailable", message: "the store does not answer: \(error)", headers: [("Retry-After", "10")])
    }
}
