package import HTTPServing
import OpenAPI

extension APIProblem {
    /// Where a client finds the documentation (RFC 8631).
    static let documentation = (
        name: "Link", value: "</docs>; rel=\"service-doc\", </openapi.json>; rel=\"service-desc\""
    )

    static let noPath = APIProblem(
        status: 404, code: "not_found", message: "there is no such path; /docs lists all paths, /openapi.json for programs",
        headers: [documentation])

    /// 503: the store, which may know who asks, does not answer. Why it does not is not said to somebody unknown.
    package static let callerIsUncertain = APIProblem.unavailable(
        "the store does not answer, so it is not known whether this key or session is valid")
}
