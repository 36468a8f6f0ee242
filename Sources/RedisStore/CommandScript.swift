/// Commands as words of a script, and the Lua that carries them out.
enum CommandScript {
    /// For each command how many words it has, and the words.
    static func words(_ commands: [[String]]) -> [String] { commands.flatMap { [String($0.count)] + $0 } }

    /// Lua that carries out what `words` has put into `ARGV`, from this place on.
    static func carryingOut(from place: Int) -> String {
        """
        local at = \(place)
        while at <= #ARGV do
            local count = tonumber(ARGV[at])
            redis.call(unpack(ARGV, at + 1, at + count))
            at = at + count + 1
        end
        """
    }
}
