/// The manual page `sallyport(1)`, in the macros of man(7), made of the same table as the help.
enum ManualPage {
    static func text(date: String) -> String {
        var lines = [
            ".TH SALLYPORT 1 \"\(date)\" \"Sallyport \(Version.current)\" \"User Commands\"", ".SH NAME",
            "sallyport \\- run VPN exit nodes and the proxies that lead through them", ".SH SYNOPSIS", ".B sallyport",
            ".I command", "[\\fIoptions\\fR]", ".SH DESCRIPTION",
            "Sallyport runs VPN exit nodes: ask for a country, get a proxy that leaves there.", ".SH COMMANDS",
        ]
        for command in Command.all {
            lines.append(".SS \(escaped("sallyport \(command.name) \(command.synopsis)"))")
            lines.append(escaped(command.summary) + ".")
            for option in command.options {
                lines += [".TP", "\\fB\(escaped("--\(option.name)"))\\fR" + (option.value.map { " \\fI\(escaped($0))\\fR" } ?? "")]
                lines.append(escaped(option.help))
            }
            if !command.examples.isEmpty {
                lines += [".PP", "Examples:", ".PP", ".nf"] + command.examples.map { escaped("    \($0)") } + [".fi"]
            }
        }
        lines += [".SH EXIT STATUS"]
        for (status, words) in Command.Status.meanings { lines += [".TP", "\\fB\(status)\\fR", escaped(words)] }
        lines += [".SH ENVIRONMENT"]
        for (name, words) in ControllerAddress.variables { lines += [".TP", "\\fB\(name)\\fR", escaped(words)] }
        lines += [
            ".SH FILES", ".TP", ".I ~/.config/sallyport/config.yaml",
            "controllers by name: see \\fBsallyport context\\fR",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    /// Backslashes and minus signs as themselves, and nothing at a line's begin that is a request.
    private static func escaped(_ text: String) -> String {
        let text = text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
        return text.hasPrefix(".") || text.hasPrefix("'") ? "\\&" + text : text
    }
}
