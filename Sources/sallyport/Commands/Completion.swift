/// Scripts that complete the command's words in a shell, made of the same table as the help.
enum Completion: String, CaseIterable, Sendable {
    case bash, zsh, fish

    var script: String {
        switch self {
        case .bash: Self.bashScript
        case .zsh: Self.zshScript
        case .fish: Self.fishScript
        }
    }

    /// Commands, and the words that no command is: `help` and `version`.
    private static var names: [String] { Command.all.map(\.name) + ["help", "version"] }

    /// What may follow a command's name, as far as it is known beforehand.
    private static func words(after command: Command) -> [String] {
        command.actions.isEmpty ? command.choices : command.actions.map(\.name)
    }

    private static func options(of command: Command) -> [String] { command.options.map { "--\($0.name)" } + ["--help"] }

    /// Options of any command behind which the name of a file comes.
    private static var fileOptions: [String] {
        Set(Command.all.flatMap { $0.options.filter(\.isFile).map { "--\($0.name)" } }).sorted()
    }

    // MARK: - bash

    private static var bashScript: String {
        let cases = Command.all.map { command in
            """
                    \(command.name))
                        options='\(options(of: command).joined(separator: " "))'
                        words='\(words(after: command).joined(separator: " "))'
                        ;;
            """
        }
        return """
            # Completes the words of sallyport in bash: source <(sallyport completion bash)
            _sallyport() {
                local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} options='' words=''
                COMPREPLY=()
                if ((COMP_CWORD == 1)); then
                    COMPREPLY=($(compgen -W '\(names.joined(separator: " "))' -- "$word"))
                    return
                fi
                case $before in
                    \(fileOptions.joined(separator: "|")))
                        COMPREPLY=($(compgen -f -- "$word"))
                        return
                        ;;
                esac
                case ${COMP_WORDS[1]} in
            \(cases.joined(separator: "\n"))
                    help) words='\(Command.all.map(\.name).joined(separator: " "))' ;;
                esac
                if [[ $word == -* ]]; then
                    COMPREPLY=($(compgen -W "$options" -- "$word"))
                elif ((COMP_CWORD == 2)); then
                    COMPREPLY=($(compgen -W "$words" -- "$word"))
                fi
            }
            complete -o filenames -F _sallyport sallyport

            """
    }

    // MARK: - zsh

    /// A text inside single quotes, for a description behind a colon.
    private static func quoted(_ text: String) -> String {
        text.replacing("'", with: "'\\''").replacing("[", with: "\\[").replacing("]", with: "\\]").replacing(":", with: "\\:")
    }

    private static var zshScript: String {
        let cases = Command.all.map { command in
            let options = command.options.map { option in
                let value = option.value.map { ":\(quoted($0)):" + (option.isFile ? "_files" : " ") } ?? ""
                return "'--\(option.name)[\(quoted(option.help))]\(value)'"
            }
            let words = words(after: command)
            let first = words.isEmpty ? "" : " '1:\(command.actions.isEmpty ? "word" : "action"):(\(words.joined(separator: " ")))'"
            return "        \(command.name)) _arguments \((options + ["'--help[show this]'"]).joined(separator: " "))\(first) '*:word: ' ;;"
        }
        return """
            #compdef sallyport
            # Completes the words of sallyport in zsh: a file _sallyport in a folder of $fpath, or source <(sallyport completion zsh)
            _sallyport() {
                local -a commands
                commands=(
            \(Command.all.map { "        '\($0.name):\(quoted($0.summary))'" }.joined(separator: "\n"))
                    'help:Show the commands, or the options of one' 'version:Show the version'
                )
                if ((CURRENT == 2)); then
                    _describe command commands
                    return
                fi
                local name=${words[2]}
                shift words
                ((CURRENT--))
                case $name in
            \(cases.joined(separator: "\n"))
                    help) _describe command commands ;;
                esac
            }
            if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _sallyport "$@"; else compdef _sallyport sallyport; fi

            """
    }

    // MARK: - fish

    private static func fish(_ text: String) -> String { "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'" }

    private static var fishScript: String {
        var lines = ["# Completes the words of sallyport in fish: sallyport completion fish | source", "complete -c sallyport -f"]
        lines += Command.all.map { "complete -c sallyport -n __fish_use_subcommand -a \($0.name) -d \(fish($0.summary))" }
        lines.append(
            "complete -c sallyport -n '__fish_seen_subcommand_from help' -a \(fish(Command.all.map(\.name).joined(separator: " ")))")
        for command in Command.all {
            let condition = "complete -c sallyport -n '__fish_seen_subcommand_from \(command.name)'"
            let words = words(after: command)
            if !words.isEmpty { lines.append("\(condition) -a \(fish(words.joined(separator: " ")))") }
            lines += command.options.map { option in
                "\(condition) -l \(option.name)\(option.value == nil ? "" : option.isFile ? " -r -F" : " -x") -d \(fish(option.help))"
            }
            lines.append("\(condition) -l help -d 'show this'")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension Option {
    fileprivate var isFile: Bool { value == "FILE" }
}
