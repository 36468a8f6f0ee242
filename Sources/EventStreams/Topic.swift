package import Model

/// One of the things that a dashboard follows.
package enum Topic: String, CaseIterable, Sendable {
    case alerts, breakers, changes, events, exits, figures, health, logs, pools, traffic, users

    /// Who may follow it.
    package var role: Role {
        switch self {
        case .users: .admin
        case .logs: .operator
        default: .viewer
        }
    }

    /// Quarters of a second between two looks for changes.
    var beats: Int {
        switch self {
        case .alerts, .changes, .events, .exits, .logs, .pools, .traffic: 1
        case .breakers, .figures: 4
        case .health, .users: 8
        }
    }
}
