import API
import Glibc
import Model
import Platform

/// Commands that need the configuration: run, look at it, take everything away.
extension Command {
    static let configurationOption = Option(
        name: "config", value: "FILE",
        help:
            "the configuration, in YAML (./sallyport.yaml, else /etc/sallyport/sallyport.yaml); variables SALLYPORT_*, also of .env, override it"
    )

    static let run = Command(
        name: "run", summary: "Run the controller in the foreground",
        options: [
            configurationOption, Option(name: "open", value: "COUNTRY", help: "open a first exit there and show how to use it"),
            Option(name: "json", help: "log JSON, as log.format: json does"),
        ],
        examples: ["sallyport run --config sallyport.yaml", "SALLYPORT_API_PORT=9090 sallyport run --config sallyport.yaml --open us"]
    ) { arguments in
        _ = try arguments.expect()
        let country = try arguments["open"].map { try CountryWords.country($0, "--open") }
        let (file, isJSON) = (arguments["config"] ?? Configuration.usualFile(), arguments.has("json"))
        let read: @Sendable () throws -> Configuration = {
            var configuration = try Configuration.load(file: file, environment: try environment())
            if isJSON { configuration.logFormat = .json }
            return configuration
        }
        return try await Daemon.run(try read(), open: country, read: read)
    }

    static let config = Command(
        name: "config", summary: "Check the configuration and show every setting with its source; secrets are masked",
        options: [
            configurationOption,
            Option(name: "running", help: "show the settings of the running controller, instead of those of a start"),
        ] + ControllerClient.options,
        examples: ["sallyport config --config sallyport.yaml", "sallyport config --running", "sallyport config --running --json"]
    ) { arguments in
        _ = try arguments.expect()
        guard arguments.has("running") else {
            let file = arguments["config"] ?? Configuration.usualFile()
            if arguments["config"] == nil {
                Output.note("reads \(file ?? "variables alone: there is no \(Configuration.usualFiles.joined(separator: " and no "))")")
            }
            let settings = try Configuration.load(file: file, environment: try environment()).settings
            let values = settings.map { setting -> Document in
                .object(["name": .string(setting.name), "value": .string(setting.value), "from": .string(setting.from)])
            }
            return show(values, of: file, arguments)
        }
        guard arguments["config"] == nil else { throw UsageError(message: "--running and --config exclude each other") }
        return try await ControllerClient.with(arguments) { api in
            show(try await api.get("/admin/config")["values"]?.items ?? [], of: nil, arguments)
        }
    }

    private static func show(_ settings: [Document], of file: String?, _ arguments: Arguments) -> Int32 {
        if arguments.has("json") {
            print(Document.object(["values": .array(settings), "file": file.map(Document.string) ?? .null]).json)
        } else {
            let rows = settings.map { setting in ["name", "value", "from"].map { setting[$0]?.text ?? "" } }
            print(Table(["SETTING", "VALUE", "FROM"], rows).text())
        }
        return Status.success
    }

    static let teardown = Command(
        name: "teardown", summary: "Remove every exit, the gateway and the private Redis", options: [configurationOption, jsonOption],
        examples: ["sallyport teardown --config sallyport.yaml"]
    ) { arguments in
        _ = try arguments.expect()
        let steps = try await Teardown.run(try configuration(arguments))
        if arguments.has("json") { print(Teardown.document(steps).json) }
        return steps.allSatisfy { $0.trouble == nil } ? Status.success : Status.failure
    }

    /// That of the file that is named, or of the usual one.
    static func configuration(_ arguments: Arguments) throws -> Configuration {
        try Configuration.load(file: arguments["config"] ?? Configuration.usualFile(), environment: try environment())
    }

    static func environment() throws -> [String: String] { try DotEnv.complete(ProcessEnvironment.values()) }
}
