package import HTTPServing
package import Model

/// Requests turned into values, or into a problem that names every field at fault.
extension ServerRequest {
    /// Reads the JSON object in the body; an empty body is an empty object.
    package func body<Value>(_ read: (FieldReader) -> Value?) throws -> Value {
        var document = Document.object([:])
        if !body.isEmpty {
            do { document = try Document(json: body) } catch {
                throw APIProblem(status: 400, code: "malformed_json", message: "the body is not valid JSON, \(error)")
            }
        }
        if case .null = document { throw APIProblem.invalid("body", "is null, expected a JSON object") }
        let reader = FieldReader(document)
        let value = read(reader)
        let problems = reader.finish()
        guard problems.isEmpty, let value else { throw APIProblem.invalid(problems) }
        return value
    }

    /// The number of a query parameter, which the table has checked.
    package func number(_ name: String) -> Double? { query(name).flatMap(Double.init) }

    /// The whole number of a query parameter, which the table has checked.
    package func whole(_ name: String) -> Int? { query(name).flatMap { Int($0) } }

    package func time(_ name: String) throws -> Timestamp? {
        guard let text = query(name) else { return nil }
        guard let time = Timestamp(rfc3339: text) else {
            throw APIProblem.invalid(name, "expected a time like 2026-11-21T01:02:03.456Z")
        }
        return time
    }

    package func country(_ name: String) throws -> CountryCode? {
        guard let text = parameters[name] ?? query(name) else { return nil }
        guard let country = CountryCode(text) else {
            throw APIProblem.invalid(name, "unknown country, expected an ISO 3166-1 alpha-2 code like us")
        }
        return country
    }

    /// The exit that the path names.
    package func exitID() throws -> ExitID {
        let text = parameters["id"] ?? ""
        guard let id = ExitID(text) else {
            throw APIProblem(status: 404, code: "not_found", message: "there is no exit of that name, expected one like us-1")
        }
        return id
    }
}

extension APIProblem {
    package static func invalid(_ problems: [FieldProblem]) -> APIProblem {
        APIProblem(
            status: 422, code: "invalid", message: problems.map(\.description).joined(separator: "; "), fields: problems)
    }

    package static func invalid(_ field: String, _ message: String) -> APIProblem {
        invalid([FieldProblem(field: field, message: message)])
    }

    /// 503: an outside part does not answer; worth another try after ten seconds.
    package static func unavailable(_ message: String, code: String = "store_unavailable") -> APIProblem {
        APIProblem(status: 503, code: code, message: message, headers: [("Retry-After", "10")])
    }

    /// What a body returns that asks the store; its errors become 503, except problems.
    package static func ifUnavailable<Value>(
        isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Value
    ) async throws -> Value {
        do { return try await body() } catch let problem as APIProblem { throw problem } catch {
            throw unavailable("the store does not answer: \(error)")
        }
    }

    package static func notFound(_ what: String) -> APIProblem {
        APIProblem(status: 404, code: "not_found", message: "there is no \(what)")
    }
}
