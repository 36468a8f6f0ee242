import Model
import Platform

/// The command for controllers by name.
extension Command {
    static let context = Command(
        name: "context", actions: [Action("list"), Action("use", "<name>"), Action("add", "<name>"), Action("remove", "<name>")],
        summary: "Name controllers, and say which one is asked when no --api is given",
        options: [
            Option(name: "api", value: "URL", help: "add: the controller's API"),
            Option(name: "key-file", value: "FILE", help: "add: the file with an API key"),
            jsonOption,
        ],
        examples: [
            "sallyport context add prod --api https://vpn.example --key-file ~/.config/sallyport/prod.key", "sallyport context use prod",
            "sallyport context",
        ]
    ) { arguments in
        guard let path = Contexts.path(ProcessEnvironment.values()) else {
            throw UsageError(message: "HOME is not set: nobody knows where the contexts' file is")
        }
        var contexts = try Contexts.read(path)
        switch arguments.words[0] {
        case "use":
            let name = try arguments.expect("use", "<name>")[1]
            _ = try contexts.place(named: name)
            contexts.current = name
            try contexts.write(to: path)
            show(arguments, contexts, "\(name) is asked from now on")
        case "add":
            let name = try arguments.expect("add", "<name>")[1]
            guard Contexts.isName(name) else { throw UsageError(message: "'\(name)' is not a context's name, \(Contexts.nameForm)") }
            guard arguments["api"] != nil || arguments["key-file"] != nil else {
                throw UsageError(message: "add needs --api or --key-file")
            }
            let place = Contexts.Place(
                api: try arguments["api"].map { try ControllerAddress.address($0, "--api") },
                keyFile: arguments["key-file"].map { $0.hasPrefix("~/") ? $0 : Files.absolute($0) })
            contexts.places[name] = place
            if contexts.current == nil { contexts.current = name }
            try contexts.write(to: path)
            show(arguments, contexts, "\(name) is added\(contexts.current == name ? ", and is asked from now on" : "")")
        case "remove":
            let name = try arguments.expect("remove", "<name>")[1]
            _ = try contexts.place(named: name)
            contexts.places[name] = nil
            if contexts.current == name { contexts.current = nil }
            try contexts.write(to: path)
            show(arguments, contexts, "\(name) is removed")
        default:
            _ = try arguments.expect("list")
            show(arguments, contexts, table(contexts))
        }
        return Status.success
    }

    private static func show(_ arguments: Arguments, _ contexts: Contexts, _ words: String) {
        func text(_ text: String?) -> Document { text.map(Document.string) ?? .null }
        let list = contexts.places.sorted { $0.key < $1.key }.map { name, place in
            Document.object([
                "name": .string(name), "api": text(place.api), "key_file": text(place.keyFile), "current": .bool(name == contexts.current),
            ])
        }
        print(arguments.has("json") ? Document.object(["contexts": .array(list)]).json : words)
    }

    private static func table(_ contexts: Contexts) -> String {
        guard !contexts.places.isEmpty else { return "no contexts; `sallyport context add <name> --api URL --key-file FILE` makes one" }
        let rows = contexts.places.sorted { $0.key < $1.key }.map { name, place in
            [name == contexts.current ? "*" : "", name, place.api ?? "-", place.keyFile ?? "-"]
        }
        return Table(["", "NAME", "API", "KEY FILE"], rows).text()
    }
}
