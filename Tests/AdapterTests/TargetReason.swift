import ExitProxy

/// What an exit says of a target that it did not reach, and with which status it does.
enum TargetReason {
    static let all = TargetFault.allCases.map { (word: $0.rawValue, status: $0.status) }
}
