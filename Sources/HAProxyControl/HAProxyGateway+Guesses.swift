package import Model
import Platform
import Synchronization

/// Sources that try many passwords: an address, or an IPv6 network of 64 bits.
extension HAProxyGateway {
    /// Wrong passwords of one source in a minute above which somebody is called. A client with an old password was seen to try once a
    /// second; a program that guesses does hundreds.
    static let guessesOfAMinute = 100
    /// Sources that are told of at once, those with the most wrong passwords.
    private static let sourceLimit = 10

    /// The newest worker is asked: an old one takes no connections. What is not known to be over stands.
    func readGuesses() async throws {
        let answer = try await sockets.stats.send("show table guesses data.gpc0_rate gt \(Self.guessesOfAMinute)")
        let rates = RuntimeAnswers.table(answer).compactMapValues { $0["gpc0_rate"] }
        let first = rates.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(Self.sourceLimit)
        guesses.set(first.map { (Self.address($0.key), $0.value) })
    }

    /// Alerts of the sources that guess now; each ends when its source has slowed down for a minute.
    package nonisolated var guessAlerts: [Alert] { guesses.alerts }

    /// HAProxy shows IPv4 addresses as mapped ones.
    private static func address(_ key: String) -> String {
        let mapped = "::ffff:"
        if key.hasPrefix(mapped), key.contains(".") { return String(key.dropFirst(mapped.count)) }
        return key.contains(":") ? "\(key)/64" : key
    }

    final class Guesses: Sendable {
        private let sources = Mutex<[String: (count: Int, since: Timestamp)]>([:])

        func set(_ counts: [(source: String, count: Int)]) {
            sources.withLock { sources in
                let old = sources
                sources = [:]
                for (source, count) in counts { sources[source] = (Self.rounded(count), old[source]?.since ?? SystemClock.now()) }
            }
        }

        var alerts: [Alert] {
            sources.withLock { $0 }.map { source, guess in
                Alert(
                    .guesses(source), .warning, "\(source) sends about \(guess.count) wrong passwords a minute to the proxies",
                    remedy:
                        "see access.log for the names that it tries (client=\(source), reason=authentication_failed); block it in front "
                        + "of the gateway, or inform its user",
                    since: guess.since)
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
