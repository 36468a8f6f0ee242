import HTTPServing
import Model
import Platform

/// `/api/settings`: what can be changed while the controller runs, and is kept.
extension API {
    static let settingSchemas: [String: Schema] = [
        "Settings": .object(
            LiveSetting.allCases.map { .always($0.rawValue, $0.schema(isInput: false)) } + [
                .always("changed", .list(.choice(LiveSetting.self)), "those that were changed here, and so don't follow the configuration")
            ])
    ]

    var settingRoutes: [APIRoute] {
        let body = Schema.object(LiveSetting.allCases.map { .maybe($0.rawValue, $0.schema(isInput: true)) })
        return [
            Route(
                "GET", "/api/settings",
                Contract(
                    .role(.admin), "Settings that can be changed while it runs", answers: [.json(200, "the settings", .named("Settings"))]),
                .ready(showSettings)),
            Route(
                "PATCH", "/api/settings",
                Contract(
                    .role(.admin), "Changes some of these",
                    "They stay so, also after a start or a reload, and within a second at other controllers of this Redis. null gives one back"
                        + " to the configuration.",
                    body: Body(body), answers: [.json(200, "all settings", .named("Settings"))]),
                .waiting(changeSettings)),
        ]
    }

    func showSettings(_ request: ServerRequest) throws -> ServerResponse {
        let values = live.values
        var fields = Dictionary(uniqueKeysWithValues: LiveSetting.allCases.map { ($0.rawValue, $0.value(in: values)) })
        fields["changed"] = .array(live.changed.map(Document.string))
        return .json(Document.object(fields), asIs: true)
    }

    func changeSettings(_ request: ServerRequest) async throws -> ServerResponse {
        let changes: [LiveSetting: Document?] = try request.body { reader in
            LiveSetting.allCases.reduce(into: [:]) { changes, setting in
                if reader.names(setting.rawValue) { changes.updateValue(setting.read(reader), forKey: setting) }
            }
        }
        if let store = parts.settings {
            let texts = changes.reduce(into: [String: String?]()) { $0.updateValue($1.value.map(Self.json), forKey: $1.key.rawValue) }
            do { try await store.save(settings: texts) } catch {
                throw APIProblem(status: 503, code: "store_unavailable", message: "\(error)", headers: [("Retry-After", "10")])
            }
        }
        live.change(changes)
        audit.retentionDays = live.values.retentionDays
        return try showSettings(request)
    }

    private static func json(_ value: Document) -> String { String(decoding: OpenAPI.encoded(value), as: UTF8.self) }

    /// Takes over what any controller changes, until it is cancelled.
    func followSettings() async {
        guard let store = parts.settings else { return }
        while !Task.isCancelled {
            let edition = live.edition
            if let stored = try? await store.settings(), let problems = live.take(stored, edition: edition) {
                audit.retentionDays = live.values.retentionDays
                for problem in problems { log.warning("a stored setting is left out", ["problem": "\(problem)"]) }
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }
}
