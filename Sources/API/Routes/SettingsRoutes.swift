import AuditLog
import HTTPServing
import Model
import OpenAPI
import Platform
import RequestPipeline

/// `/api/settings`: what can be changed while the controller runs, and is kept.
struct SettingsRoutes: RouteGroup {
    let settings: LiveSettings
    let store: (any SettingStore)?

    var routes: [APIRoute] {
        let body = Schema.object(LiveSetting.allCases.map { .maybe($0.rawValue, $0.schema(isInput: true)) })
        return [
            Route(
                "GET", "/api/settings", .admin, "Settings that can be changed at run time",
                answers: [.json(200, "the settings", .settings)], .ready(showSettings)),
            Route(
                "PATCH", "/api/settings", .admin, "Changes some of these",
                "Changes survive restarts and reloads, and apply within a second at other controllers of this Redis. null resets one"
                    + " to the configuration's value.", body: Body(body, example: .object(["requests": .integer(100_000)])),
                answers: [.json(200, "all settings", .settings)], .waiting(changeSettings)
            ),
        ]
    }

    func showSettings(_ request: ServerRequest) throws -> ServerResponse {
        let values = settings.values
        var fields = Dictionary(uniqueKeysWithValues: LiveSetting.allCases.map { ($0.rawValue, $0.value(in: values)) })
        fields["changed"] = .array(settings.changed.map(Document.string))
        return .json(Document.object(fields), asIs: true)
    }

    func changeSettings(_ request: ServerRequest) async throws -> ServerResponse {
        let changes: [LiveSetting: Document?] = try request.body { reader in
            LiveSetting.allCases.reduce(into: [:]) { changes, setting in
                if reader.names(setting.rawValue) { changes.updateValue(setting.read(reader), forKey: setting) }
            }
        }
        if let store {
            let texts = changes.reduce(into: [String: String?]()) { $0.updateValue($1.value.map(\.jsonText), forKey: $1.key.rawValue) }
            try await APIProblem.ifUnavailable { try await store.save(settings: texts) }
        }
        settings.change(changes)
        return try showSettings(request)
    }
}

extension Schema {
    static let settings = named(
        "Settings",
        .object(
            LiveSetting.allCases.map { .always($0.rawValue, $0.schema(isInput: false)) } + [
                .always("changed", .list(.choice(LiveSetting.self)), "settings that were changed here and override the configuration")
            ]))
}
