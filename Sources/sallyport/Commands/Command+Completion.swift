import Model
import Platform

/// Commands that tell about the commands.
extension Command {
    static let completion = Command(
        name: "completion", usage: "bash | zsh | fish", choices: Completion.allCases.map(\.rawValue),
        summary: "Print a script that completes these words in a shell", options: [jsonOption],
        examples: [
            "source <(sallyport completion bash)", "sallyport completion zsh >~/.zfunc/_sallyport",
            "sallyport completion fish >~/.config/fish/completions/sallyport.fish",
        ]
    ) { arguments in
        let word = try arguments.expect("bash, zsh or fish")[0]
        let shells = Completion.allCases.map(\.rawValue)
        guard let shell = Completion(rawValue: word) else {
            throw UsageError(
                message: "'\(word)' is no shell that can be completed in, expected \(Suggestion.choice(shells))"
                    + Suggestion.words(for: word, among: shells))
        }
        let document = Document.object(["shell": .string(shell.rawValue), "script": .string(shell.script)])
        print(arguments.has("json") ? document.json + "\n" : shell.script, terminator: "")
        return Status.success
    }

    static let manual = Command(
        name: "manual", summary: "Print the manual page", options: [jsonOption],
        examples: ["sallyport manual | man -l -", "sallyport manual >/usr/local/share/man/man1/sallyport.1"]
    ) { arguments in
        _ = try arguments.expect()
        let page = ManualPage.text(date: Version.date)
        print(arguments.has("json") ? Document.object(["page": .string(page)]).json + "\n" : page, terminator: "")
        return Status.success
    }
}
