import AccessControl
import HTTPServing
import Model
import RequestPipeline

/// Whether a caller sees the names of proxy users: admins do, and everybody where `api.metrics_user_names` says so.
struct UserNameAccess: Sendable {
    let callers: Callers
    let settings: LiveSettings

    func areShown(to request: ServerRequest) -> Bool { settings.values.serving.showsUserNames || role(of: request) >= .admin }

    func role(of request: ServerRequest) -> Role { callers.key(of: request)?.role ?? .viewer }
}
