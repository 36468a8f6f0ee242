package import Model
import Planning
import Platform
import Synchronization

/// Who sends too many wrong passwords: sources (an address, or an IPv6 network of 64 bits), and names that several sources try.
extension HAProxyGateway {
    /// Sources, and names, that are told of at once: those with the most tries.
    private static let alertLimit = 10

    /// The newest worker is asked: an old one takes no connections. What is not known to be over stands.
    func readGuesses() async throws {
        let users = Set(lastLayout?.users.map(\.name) ?? [])
        let sources = try await tries(in: "guesses", beyond: settings.sourceLimits.failedPasswords)
            .map { (GuessedAt.source(Self.address($0.key)), $0.count) }
        let names = try await tries(in: "guessed").filter { users.contains($0.key) }.map { (GuessedAt.name($0.key), $0.count) }
        guesses.set(Array(sources.prefix(Self.alertLimit) + names.prefix(Self.alertLimit)))
    }

    /// Those of a table who had to wait in the last minute, with their tries of that minute; the most first.
    /// - Parameter limit: wrong passwords of that minute with which one counts that did not have to wait: where its users have been before.
    private func tries(in table: String, beyond limit: Int? = nil) async throws -> [(key: String, count: Int)] {
        var conditions = ["gpc1_rate gt 0"]
        if let limit { conditions.append("gpc0_rate gt \(limit)") }
        var counts: [String: Int] = [:]
        for condition in conditions {
            let found = RuntimeAnswers.table(try await sockets.stats.send("show table \(table) data.\(condition)"))
            counts.merge(found.mapValues { ($0["gpc0_rate"] ?? 0) + ($0["gpc1_rate"] ?? 0) }) { $1 }
        }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ($0.key, $0.value) }
    }

    /// Alerts of those who send too many now; each ends when that has been over for a minute.
    package nonisolated var guessAlerts: [Alert] { guesses.alerts }

    /// HAProxy shows IPv4 addresses as mapped ones.
    private static func address(_ key: String) -> String {
        let mapped = "::ffff:"
        if key.hasPrefix(mapped), key.contains(".") { return String(key.dropFirst(mapped.count)) }
        return key.contains(":") ? "\(key)/64" : key
    }

    /// Whom an alert of guesses is about.
    enum GuessedAt: Hashable {
        case source(String)
        case name(String)

        var subject: AlertSubject {
            switch self {
            case .source(let source): .guesses(source)
            case .name(let name): .guessed(name)
            }
        }

        /// - Parameter count: wrong passwords of the last minute.
        func words(_ count: Int) -> (message: String, remedy: String) {
            switch self {
            case .name(let name):
                (
                    "user \(name): several sources send about \(count) wrong passwords a minute to the proxies, and have to wait",
                    "see access.log for the sources (user=\(name), reason=authentication_failed) and block them in front of the gateway; "
                        + "the user is served from where it has been before"
                )
            case .source(let source):
                (
                    "\(source) sends about \(count) wrong passwords a minute to the proxies",
                    "see access.log for the names that it tries (client=\(source), reason=authentication_failed); block it in front "
                        + "of the gateway, or inform its user"
                )
            }
        }
    }

    final class Guesses: Sendable {
        private let known = Mutex<[GuessedAt: (count: Int, since: Timestamp)]>([:])

        func set(_ counts: [(about: GuessedAt, count: Int)]) {
            known.withLock { known in
                let old = known
                known = [:]
                for (about, count) in counts { known[about] = (Self.rounded(count), old[about]?.since ?? SystemClock.now()) }
            }
        }

        var alerts: [Alert] {
            known.withLock { $0 }.map { about, guess in
                let (message, remedy) = about.words(guess.count)
                return Alert(about.subject, .warning, message, remedy: remedy, since: guess.since)
            }
        }

        /// To two digits: an alert that changes is stored, and the figure changes each second.
        private static func rounded(_ count: Int) -> Int {
            var scale = 1
            while count / scale >= 100 { scale *= 10 }
            return count / scale * scale
        }
    }
}
