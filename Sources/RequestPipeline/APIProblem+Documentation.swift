import HTTPServing

extension APIProblem {
    /// Where a client finds the documentation (RFC 8631).
    static let documentation = (
        name: "Link", value: "</docs>; rel=\"service-doc\", </openapi.json>; rel=\"service-desc\""
    )

    static let noPath = APIProblem(
        status: 404, code: "not_found", message: "there is no such path; /docs lists all paths, /openapi.json for programs",
        headers: [documentation])
}
