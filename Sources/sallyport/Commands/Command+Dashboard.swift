import Model
import Platform

/// The command that opens the dashboard.
extension Command {
    static let dashboard = Command(
        name: "dashboard", summary: "Print a link that signs a browser in to the dashboard, once, within five minutes",
        options: ControllerClient.options + [Option(name: "open", help: "open it in the desktop's browser too")],
        examples: [
            "sallyport dashboard", "sallyport dashboard --open", "sallyport dashboard --api https://vpn.example --key-file ops.key --json",
        ]
    ) { arguments in
        _ = try arguments.expect()
        return try await ControllerClient.with(arguments) { api in
            let answer = try await api.call("POST", "/api/auth/codes")
            let link = DashboardLink.url(api.url, code: answer["code"]?.text ?? "")
            let shown = Document.object(["url": .string(link), "expires_at": answer["expires_at"] ?? .null])
            print(arguments.has("json") ? shown.json : link)
            guard arguments.has("open") else { return Status.success }
            return try await Programs.run("xdg-open", [link]).status == 0 ? Status.success : Status.failure
        }
    }
}

/// The address that signs a browser in. The code is behind `#`, which no browser sends: it is in no log of a server.
enum DashboardLink {
    static func url(_ api: String, code: String) -> String { "\(api)/#code=\(code)" }
}
