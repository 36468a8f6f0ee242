import Glibc
import Model
import Platform

@main
enum Main {
    static func main() async {
        Signals.ignorePipe()
        CryptoLibrary.initialize()
        var status = await run(Array(CommandLine.arguments.dropFirst()))
        // A script that redirects into a file must not take half a table for a whole one.
        if let lost = StandardOutput.finish() { status = complain(lost, max(status, Command.Status.failure)) }
        exit(status)
    }

    /// Finds the command and runs it; every error ends here as one line and a status.
    static func run(_ arguments: [String]) async -> Int32 {
        guard let name = arguments.first, !isHelp(name) else { return help(on: arguments.dropFirst().first { !isHelp($0) }, arguments) }
        if ["--version", "-V", "version"].contains(name) { return version(Array(arguments.dropFirst())) }
        guard let command = Command.named(name) else { return complain(unknown(name), Command.Status.usage) }
        return await run(command, Array(arguments.dropFirst()))
    }

    private static func run(_ command: Command, _ arguments: [String]) async -> Int32 {
        if arguments.contains("--help") || arguments.contains("-h") {
            print(command.help, terminator: "")
            return Command.Status.success
        }
        do {
            var parsed = try Arguments(arguments, options: command.options)
            if !command.actions.isEmpty { try parsed.settle(command.actions) }
            return try await command.run(parsed)
        } catch let error as UsageError {
            return complain("\(error)\nUsage: sallyport \(command.line)", Command.Status.usage)
        } catch let error as ConfigurationError {
            return complain("\(error)", Command.Status.usage)
        } catch let error as UnreachableError {
            return complain("\(error)", Command.Status.unreachable)
        } catch {
            return complain("\(error)", Command.Status.failure)
        }
    }

    private static func isHelp(_ word: String) -> Bool { ["--help", "-h", "help"].contains(word) }

    private static func unknown(_ name: String) -> String {
        let nearest = Suggestion.nearest(to: name, among: Command.all.map(\.name) + ["help", "version"])
        return "unknown command \(name); " + (nearest.map { "did you mean \($0)?" } ?? "`sallyport --help` lists them")
    }

    private static func version(_ arguments: [String]) -> Int32 {
        guard arguments.isEmpty || arguments == ["--json"] else {
            return complain("unexpected \(arguments[0]); known is --json", Command.Status.usage)
        }
        print(arguments.isEmpty ? "sallyport \(Version.current)" : Document.object(["version": .string(Version.current)]).json)
        return Command.Status.success
    }

    /// `help`, alone or with the name of a command.
    private static func help(on name: String?, _ arguments: [String]) -> Int32 {
        guard let name else {
            print(Command.overview, terminator: "")
            return arguments.isEmpty ? Command.Status.usage : Command.Status.success
        }
        guard let command = Command.named(name) else { return complain(unknown(name), Command.Status.usage) }
        print(command.help, terminator: "")
        return Command.Status.success
    }

    private static func complain(_ message: String, _ status: Int32) -> Int32 {
        let line = Array("sallyport: \(message)\n".utf8)
        // Whoever doesn't read must not keep the process from ending.
        var ready = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
        guard poll(&ready, 1, 1_000) > 0 else { return status }
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
        return status
    }
}

enum Version {
    static let current = "0.1.0"
    /// The day that the manual page bears.
    static let date = "2026-11-30"
}
