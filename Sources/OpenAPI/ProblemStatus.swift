/// What a status of a problem means, and the word that it usually comes with.
enum ProblemStatus {
    static let words: [Int: (about: String, code: String)] = [
        400: ("the request, its path or its JSON is malformed", "malformed_json"),
        401: ("no key, or one that nobody has", "key_missing"),
        403: ("the key's role is too low, or the address is not allowed", "role_too_low"),
        404: ("there is no such thing", "not_found"),
        406: ("Accept refuses the only kind that the answer can be of", "not_acceptable"),
        409: ("it is in the way of something that is there", "exists"),
        413: ("the body is too large", "body_too_large"),
        415: ("the body is not application/json, or none is taken", "media_type"),
        422: ("a field or parameter is wrong, missing or unknown", "invalid"),
        429: ("too many requests; Retry-After says when to come back", "too_many_requests"),
        431: ("the head is too large, or has too many fields", "head_too_large"),
        500: ("a defect of ours; the log has its cause", "internal"),
        503: ("an outside part does not answer; Retry-After says when to come back", "store_unavailable"),
    ]
}
