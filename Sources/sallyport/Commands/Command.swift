/// One command of `sallyport`: what it is called, how it is used, what it does.
struct Command: Sendable {
    var name: String
    /// What follows the name in the help, where it has no actions.
    var usage = ""
    var actions: [Action] = []
    /// Words that may stand first, where they are known beforehand.
    var choices: [String] = []
    var summary: String
    var options: [Option] = []
    var examples: [String] = []
    /// Returns the exit status.
    var run: @Sendable (Arguments) async throws -> Int32

    static let all: [Command] = [
        run, up, down, status, exits, pools, alerts, breakers, events, logs, speedtest, servers, latency, countries, cities, wireguard,
        users, keys, dashboard, settings, webhooks, audit, store, config, doctor, reload, teardown, context, completion, manual, echo,
        engineGuard,
    ]

    static func named(_ name: String) -> Command? { all.first { $0.name == name } }

    static let jsonOption = Option(name: "json", help: "print JSON for scripts")

    /// Exit statuses, the same for every command.
    enum Status {
        static let success: Int32 = 0
        static let failure: Int32 = 1
        /// The command line or the configuration is wrong.
        static let usage: Int32 = 2
        /// No controller answers.
        static let unreachable: Int32 = 3

        static let meanings = [
            (success, "done"), (failure, "failed, or refused by the controller"), (usage, "wrong command line or configuration"),
            (unreachable, "no controller answers"),
        ]
    }

    /// What follows the name: `[list | add <name>]`, where the bare name lists, or `check | drop <row>...`.
    var synopsis: String {
        guard !actions.isEmpty else { return usage }
        let text = actions.map(\.text).joined(separator: " | ")
        return actions.contains { $0.name == "list" } ? "[\(text)]" : text
    }

    /// `up <country>...`
    var line: String { synopsis.isEmpty ? name : "\(name) \(synopsis)" }

    var help: String {
        var text = "\(summary)\n\nUsage: sallyport \(line)\n"
        let shown = options.map { ("--\($0.name)" + ($0.value.map { " \($0)" } ?? ""), $0.help) } + [("--help", "show this")]
        text += "\nOptions:\n" + Text.columns(shown.map { ["  \($0)", $1] })
        if !examples.isEmpty { text += "\nExamples:\n" + examples.map { "  \($0)\n" }.joined() }
        return text
    }

    static var overview: String {
        """
        Sallyport runs VPN exit nodes: ask for a country, get a proxy that leaves there.

        Usage: sallyport <command> [options]

        Commands:
        \(Text.columns(all.map { ["  \($0.name)", $0.summary] }))
        `sallyport help <command>` shows a command's options and examples.

        Exit status: 0 done, 1 failed, 2 wrong command line or configuration, 3 no controller answers. `status` ends with 0 only if all
        parts answer and no alert is critical.

        """
    }
}

/// Plain text for terminals.
enum Text {
    /// How far something is: `[#####---------------]`.
    static func bar(_ done: Int, of all: Int) -> String {
        let filled = all > 0 ? min(20, max(0, 20 * done / all)) : 0
        return "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: 20 - filled) + "]"
    }

    /// Rows with their columns aligned, two blanks between them.
    static func columns(_ rows: [[String]]) -> String {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                line += column == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[column] - cell.count + 2)
            }
            return line + "\n"
        }.joined()
    }
}
