/// Why an operator's command or question was refused.
package struct OperationError: Error, CustomStringConvertible {
    package enum Code: String, Sendable {
        case notFound = "not_found"
        case poolFull = "pool_full"
        case deviceLimit = "device_limit"
        case noServer = "no_server"
        case catalogUnavailable = "catalog_unavailable"
        case catalogUnreadable = "catalog_unreadable"
        case storeUnavailable = "store_unavailable"
        case engineUnavailable = "engine_unavailable"
        case unknownProvider = "unknown_provider"
        case notLeader = "not_leader"
        case networksTooWide = "networks_too_wide"
        case exists
    }

    package var code: Code
    package var message: String
    package var description: String { message }

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }
}
