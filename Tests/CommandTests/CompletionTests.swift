import Platform
import TestSupport
import Testing

@testable import sallyport

/// Completion and the manual page, each read by the program that it is for.
@Suite(.timeLimit(.minutes(1))) struct CompletionTests {
    /// What bash offers for a line of which the last word is being typed.
    private func offered(_ line: [String], in folder: String) async throws -> [String] {
        let words = line.map { "'\($0)'" }.joined(separator: " ")
        let script = """
            source \(folder)/script
            COMP_WORDS=(\(words)); COMP_CWORD=\(line.count - 1)
            _sallyport
            printf '%s\\n' "${COMPREPLY[@]}"
            """
        let result = try await Programs.run("bash", ["--norc", "-c", script])
        #expect(result.status == 0, "\(result.output)")
        return result.output.split(separator: "\n").map(String.init)
    }

    @Test func `bash completes commands, actions, countries, options and files`() async throws {
        let folder = try TemporaryFolder()
        try Files.write(Completion.bash.script, to: "\(folder.path)/script", mode: 0o600)
        func offers(_ line: String...) async throws -> [String] { try await offered(["sallyport"] + line, in: folder.path) }
        #expect(try await offers("we") == ["webhooks"])
        #expect(try await offers("users", "r") == ["rotate", "remove"])
        #expect(try await offers("up", "d") == ["de", "dj", "dk", "dm", "do", "dz"])
        #expect(try await offers("up", "de", "--sp") == ["--spread"])
        #expect(try await offers("status", "--key-file", "\(folder.path)/scr") == ["\(folder.path)/script"])
        #expect(try await offers("help", "brea") == ["breakers"])
        #expect(Set(try await offers("")) == Set(Command.all.map(\.name) + ["help", "version"]))
        for command in Command.all {
            #expect(
                Set(try await offers(command.name, "--")) == Set(command.options.map { "--\($0.name)" } + ["--help"]), "\(command.name)")
        }
    }

    @Test(
        .enabled(if: Files.exists("/usr/bin/fish"), "fish is not installed"),
        arguments: [("webh", "webhooks"), ("users rot", "rotate"), ("up germ", nil), ("up fr", "fr"), ("up us --spre", "--spread")])
    func `fish completes`(line: String, offered: String?) async throws {
        let folder = try TemporaryFolder()
        try Files.write(Completion.fish.script, to: "\(folder.path)/script", mode: 0o600)
        let script = "source \(folder.path)/script; complete -C 'sallyport \(line)'"
        let result = try await Programs.run("fish", ["--no-config", "-c", script])
        let words = result.output.split(separator: "\n").map { $0.prefix { $0 != "\t" } }
        #expect(result.status == 0 && words == (offered.map { [$0[...]] } ?? []), "\(result.output)")
    }

    @Test(
        .enabled(if: Files.exists("/usr/bin/zsh") && Files.exists("/usr/bin/fish"), "zsh or fish is not installed"),
        arguments: [Completion.zsh, .fish])
    func `the other shells read their scripts`(shell: Completion) async throws {
        let folder = try TemporaryFolder()
        try Files.write(shell.script, to: "\(folder.path)/script", mode: 0o600)
        let result = try await Programs.run(shell.rawValue, ["-n", "\(folder.path)/script"])
        #expect(result.status == 0 && result.output.isEmpty, "\(result.output)")
    }

    @Test func `the manual page has every command and option, and nothing that its reader complains of`() async throws {
        let folder = try TemporaryFolder()
        let page = ManualPage.text(date: "2026-01-02")
        for command in Command.all {
            #expect(page.contains(".SS sallyport \(command.name)".replacing("-", with: "\\-")))
            for option in command.options { #expect(page.contains("\\-\\-\(option.name.replacing("-", with: "\\-"))\\fR")) }
        }
        guard Files.exists("/usr/bin/groff") else { return }
        try Files.write(page, to: "\(folder.path)/page", mode: 0o600)
        let result = try await Programs.run("groff", ["-man", "-ww", "-z", "-Tutf8", "\(folder.path)/page"])
        #expect(result.status == 0 && result.output.isEmpty, "\(result.output)")
    }
}
