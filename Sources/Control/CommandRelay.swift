package import Model

/// Carries commands from controllers that follow to the one that leads, and its answers back.
package protocol CommandRelay: Sendable {
    func send(_ command: ForwardedCommand, id: String) async throws
    /// Takes a command back; false when the leader has taken it already.
    func withdraw(_ command: ForwardedCommand, id: String) async throws -> Bool
    /// The answer to a command; nil while there is none.
    func answer(to id: String) async throws -> CommandAnswer?
    /// The oldest command that nobody has taken yet.
    func next() async throws -> (id: String, command: ForwardedCommand)?
    func answer(_ id: String, with answer: CommandAnswer) async throws
}

/// A command on its way to the leader, with the name of who asked for it.
/// Both are fields of one object: a version that knows no `by` reads the command too.
package struct ForwardedCommand: Codable, Sendable, Equatable {
    package var command: ControllerCommand
    package var by: String?

    package init(_ command: ControllerCommand, by: String? = nil) {
        self.command = command
        self.by = by
    }

    private enum Key: String, CodingKey { case by }

    package init(from decoder: any Decoder) throws {
        command = try ControllerCommand(from: decoder)
        by = try decoder.container(keyedBy: Key.self).decodeIfPresent(String.self, forKey: .by)
    }

    package func encode(to encoder: any Encoder) throws {
        try command.encode(to: encoder)
        var fields = encoder.container(keyedBy: Key.self)
        try fields.encodeIfPresent(by, forKey: .by)
    }
}

/// What became of a forwarded command.
package enum CommandAnswer: Codable, Sendable, Equatable {
    case done
    case exit(Exit)
    /// The command was meant for a leader that was replaced before it took it: nothing was done.
    case missed
    case refused(code: String, message: String)
}
