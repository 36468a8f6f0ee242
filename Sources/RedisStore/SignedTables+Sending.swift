/// One script for each change: what it depends on is compared in it.
extension SignedTables {
    /// What a write depends on, beside the table's signature.
    struct Guards: Sendable {
        /// The fencing number under which it is made, where one is needed.
        var fence: (@Sendable () -> Int)?
        /// It changes what other controllers show.
        var isChange = false
        /// A field that must hold this text still.
        var unchanged: (key: String, field: String, value: String)?
    }

    /// What has become of a write. Nothing is written but where it is done.
    enum Sent: Equatable {
        case done, signatureChanged, fieldChanged
        /// Redis has forgotten the table, whose signature names rows.
        case tableGone
    }

    /// - Parameter hasRows: the signature names rows, so that the table must be there.
    func send(
        _ commands: [[String]], expecting root: String, _ table: SignedTable, _ guards: Guards, hasRows: Bool = false
    ) async throws -> Sent {
        let keys = ["\(prefix):fence", "\(prefix):version", signatureKey(table), guards.unchanged?.key ?? "\(prefix):none", key(table)]
        let values = [
            guards.fence.map { String($0()) } ?? "", guards.isChange ? "1" : "0", root, guards.unchanged?.field ?? "",
            guards.unchanged?.value ?? "", hasRows ? "1" : "0",
        ]
        let words = ["EVAL", Self.script, "5"] + keys + values + CommandScript.words(commands)
        return switch try await connection.command(words).integer {
        case 0: .done
        case 1: .signatureChanged
        case 3: .tableGone
        default: .fieldChanged
        }
    }

    private static let script = """
        if ARGV[1] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[1] then
            return redis.error_reply('FENCED another controller leads')
        end
        if (redis.call('HGET', KEYS[3], 'root') or '') ~= ARGV[3] then return 1 end
        if ARGV[6] == '1' and redis.call('EXISTS', KEYS[5]) == 0 then return 3 end
        if ARGV[4] ~= '' and redis.call('HGET', KEYS[4], ARGV[4]) ~= ARGV[5] then return 2 end
        \(CommandScript.carryingOut(from: 7))
        if ARGV[2] == '1' then redis.call('INCR', KEYS[2]) end
        return 0
        """
}
