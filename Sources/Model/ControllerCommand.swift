/// An operator's change of the state. The API makes one, and the controller that leads carries it out.
///
/// A follower hands it to the leader as JSON, for example `{"rotate":{"_0":"us-1"}}`. Controllers of the version before read and
/// write the same names.
package enum ControllerCommand: Codable, Sendable, Equatable {
    case addExit(ExitRequest)
    case removeExit(ExitID)
    case rotateExit(ExitID)
    case setPool(Pool)
    case removePool(CountryCode)
    case addUser(ProxyUser)
    case changeUser(ProxyUser)
    case removeUser(String)

    private enum CodingKeys: String, CodingKey {
        case addExit, removeExit, setPool, removePool, addUser, changeUser, removeUser
        case rotateExit = "rotate"
    }
}
