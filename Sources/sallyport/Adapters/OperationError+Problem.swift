import API
import Control
import HTTPServing
import Model

/// Turns the controller's refusals into the API's answers.
func asProblems<Value>(_ body: () async throws -> Value) async throws -> Value {
    do { return try await body() } catch let error as OperationError { throw error.problem }
}

extension OperationError {
    /// The answer to who asked: status, code, text, headers.
    var problem: APIProblem {
        if code == .networksTooWide {
            let field = FieldProblem(field: "addresses", message: message)
            return APIProblem(status: 422, code: "invalid", message: field.description, fields: [field])
        }
        return APIProblem(
            status: status, code: code.rawValue, message: message, headers: status == 503 ? [("Retry-After", "10")] : [])
    }

    private var status: Int {
        switch code {
        case .notFound: 404
        case .poolFull, .deviceLimit, .exists: 409
        case .unknownProvider, .networksTooWide: 422
        case .catalogUnreadable: 500
        case .noServer, .catalogUnavailable, .storeUnavailable, .engineUnavailable, .notLeader: 503
        }
    }
}
