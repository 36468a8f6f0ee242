import EventStreams
import HTTPServing
import Model
import OpenAPI
import Platform
import RequestPipeline

/// What a reload has done.
package struct ReloadReport: Sendable {
    /// Settings that are in force now.
    package var changed: [String]
    /// Settings that differ and count only after a restart.
    package var needsRestart: [String]
    package init(changed: [String], needsRestart: [String]) {
        self.changed = changed
        self.needsRestart = needsRestart
    }
}

/// A new configuration that was not taken: everything that is wrong with it.
package struct ReloadRefusal: Error {
    package var problems: [String]
    package init(problems: [String]) { self.problems = problems }
}

/// `/admin/status`, `/admin/config`, `/admin/reload`: the controller itself.
struct ControllerRoutes: RouteGroup {
    let operations: any Operations
    let process: ProcessFacts
    let streams: Streams
    let settings: LiveSettings
    /// The settings as the configuration has them, secrets masked.
    let configuration: (@Sendable () -> [SettingView])?
    /// Reads the configuration again; throws `ReloadRefusal`.
    let readConfiguration: (@Sendable () async throws -> ReloadReport)?

    var routes: [APIRoute] {
        [
            Route(
                "GET", "/admin/status", .admin, "The controller in figures", answers: [.json(200, "the figures", .controllerStatus)],
                limit: .strict, .ready(showStatus)),
            Route(
                "GET", "/admin/config", .admin, "The configuration in force, secrets masked",
                answers: [.json(200, "a line for each setting", .configuration)], limit: .strict, .ready(showConfiguration)),
            Route(
                "POST", "/admin/reload", .admin, "Reads the configuration again",
                "With one mistake in it, nothing changes.", answers: [.json(200, "what has changed", .reload)],
                limit: .strict, .waiting(reload)),
        ]
    }

    func showStatus(_ request: ServerRequest) throws -> ServerResponse {
        let state = operations.state
        return .json(
            Fields([
                "version": process.version, "started_at": process.startedAt, "role": state.leader == nil ? "leader" : "follower",
                "exits": state.exits.count, "serving": state.exits.values.count { $0.state.takesTraffic }, "pools": state.pools.count,
                "users": state.users.count, "readers": streams.readers,
            ]))
    }

    func showConfiguration(_ request: ServerRequest) throws -> ServerResponse {
        let inForce = settings.values
        let values = (configuration?() ?? []).map { setting in
            guard
                let changed = LiveSetting.allCases.first(where: {
                    $0.configuredName == setting.name && settings.changed.contains($0.rawValue)
                })
            else { return setting }
            let value = changed.value(in: inForce).jsonText
            return SettingView(name: setting.name, value: value, from: "changed through the API")
        }
        return .json(Fields(["settings": values.map { "\($0.name): \($0.value)" }, "values": values]))
    }

    // MARK: - The configuration

    func reload(_ request: ServerRequest) async throws -> ServerResponse {
        do {
            let report = try await readConfiguration?() ?? ReloadReport(changed: [], needsRestart: [])
            return .json(Fields(["changed": report.changed, "needs_restart": report.needsRestart]))
        } catch let refusal as ReloadRefusal {
            throw APIProblem.invalid(refusal.problems.map { FieldProblem(field: "configuration", message: $0) })
        }
    }
}

/// One setting as it is in force.
package struct SettingView: Encodable, Hashable, Sendable {
    /// As in the file, with points: `api.port`.
    package let name: String
    /// As text; a secret is masked.
    package let value: String
    /// Where it comes from, in words.
    package let from: String

    package init(name: String, value: String, from: String) {
        (self.name, self.value, self.from) = (name, value, from)
    }
}

extension Schema {
    static let reload = named("Reload", .always("changed", .list(.text("api.limits"))), .always("needs_restart", .list(.text("gateway"))))
    static let controllerStatus = named(
        "ControllerStatus", .always("version", .text("0.1.0")), .always("started_at", .time),
        .always("role", .choice(["leader", "follower"])), .always("exits", .whole(2)), .always("serving", .whole(2)),
        .always("pools", .whole(1)), .always("users", .whole(1)), .always("readers", .whole(0), "of streams"))
    static let configuration = named(
        "Configuration", .always("settings", .list(.text("api.connections: 2000")), "a line for each, secrets masked"),
        .always(
            "values",
            .objects(
                .always("name", .text("api.connections")), .always("value", .text("2000"), "as text; a secret is masked"),
                .always("from", .text("sallyport.yaml"), "the file, the environment's variable, `default`, or `changed through the API`")),
            "the same, each with its source"))
}
