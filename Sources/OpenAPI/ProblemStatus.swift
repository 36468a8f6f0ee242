/// What a status of a problem means, and the word that it usually comes with.
enum ProblemStatus {
    static let words: [Int: (about: String, code: String)] = [
        400: ("the request, its path or its JSON is malformed", "malformed_json"),
        401: ("no key, or an unknown one", "key_missing"),
        403: ("the key's role is too low, or the address is not allowed", "role_too_low"),
        404: ("not found", "not_found"),
        406: ("Accept refuses the only media type of the answer", "not_acceptable"),
        409: ("it conflicts with the present state", "exists"),
        413: ("the body is too large", "body_too_large"),
        415: ("the body is not application/json, or the route takes no body", "media_type"),
        422: ("a field or parameter is wrong, missing or unknown", "invalid"),
        429: ("too many requests; Retry-After says when to come back", "too_many_requests"),
        431: ("the head is too large, or has too many fields", "head_too_large"),
        500: ("a defect in Sallyport; the log has its cause", "internal"),
        503: ("an outside part does not answer; Retry-After says when to come back", "store_unavailable"),
    ]
}
