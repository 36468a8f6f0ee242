import AccessControl
import HTTPServing
import Model
import OpenAPI
import Platform
import RequestPipeline

/// `/admin/ratelimit`: what an address has used of its limits.
struct LimitRoutes: RouteGroup {
    let limiter: RateLimiter
    let memory: (any SharedMemory)?
    let settings: LiveSettings

    var routes: [APIRoute] {
        let stats = Answer.json(200, "its use of the limits", .limitStats)
        return [
            Route(
                "GET", "/admin/ratelimit/stats/{ip}", .admin, "An address's use of its limits", answers: [stats], limit: .strict,
                .ready(showLimit)),
            Route(
                "POST", "/admin/ratelimit/clear/{ip}", .admin, "Resets the limits of an address", answers: [stats], limit: .strict,
                .waiting(clearLimit)),
        ]
    }

    private func address(_ request: ServerRequest) throws -> String {
        let text = request.parameters["ip"] ?? ""
        let hidden = "unreadable behind "
        guard let address = IPNetwork(text.hasPrefix(hidden) ? String(text.dropFirst(hidden.count)) : text), !text.contains("/") else {
            throw APIProblem.invalid("ip", "expected an IPv4 or IPv6 address, or 'unreadable behind' one")
        }
        let client = address.description
        return (text.hasPrefix(hidden) ? ClientAddress.unreadable(behind: client) : .known(client)).counted
    }

    func showLimit(_ request: ServerRequest) throws -> ServerResponse { stats(of: try address(request)) }

    private func stats(of address: String) -> ServerResponse {
        let settings = settings.values.serving
        func use(_ name: String, _ limit: Int) -> Fields {
            Fields(["used": limiter.used("\(name):address:\(address)", window: settings.windowSeconds), "limit": limit])
        }
        return .json(
            Fields([
                "address": address, "window_seconds": settings.windowSeconds, "standard": use("standard", settings.requests),
                "strict": use("strict", settings.strictRequests), "failed_keys": use("failed", settings.failedKeys),
            ]))
    }

    func clearLimit(_ request: ServerRequest) async throws -> ServerResponse {
        let address = try address(request)
        let names = ["standard", "strict", "failed"].map { "\($0):address:\(address)" }
        let keys = limiter.clear(names, window: settings.values.serving.windowSeconds)
        // Where the shared memory is away, its counters end by themselves.
        try? await memory?.remove(keys)
        return stats(of: address)
    }
}

extension Schema {
    static let limitStats = named(
        "LimitStats", .always("address", .text("127.0.0.1")), .always("window_seconds", .whole(60)), .always("standard", .limitUse),
        .always("strict", .limitUse), .always("failed_keys", .limitUse),
        showing: ["strict": use(1, of: 120), "failed_keys": use(0, of: 20)])
    static let limitUse = named("LimitUse", .always("used", .whole(3)), .always("limit", .whole(6000)))
    private static func use(_ used: Int, of limit: Int) -> Document { .object(["used": .integer(used), "limit": .integer(limit)]) }
}
