import Model

/// A provider's API, asked for nothing in particular.
struct ReachFacts: Sendable, Equatable {
    var provider: String
    var url: String
    /// Of its answer; nil where there was none, and why.
    var status: Int?
    var trouble: String?
    /// Seconds that our clock is ahead of the answer's Date.
    var ahead: Double?

    var judgement: Judgement {
        guard let status else {
            return .fault(
                "\(provider): \(url) can't be reached (\(trouble ?? "no answer"))",
                "see that this machine reaches it (`curl -I \(url)`): names, routes, a firewall, a proxy on the way")
        }
        return .pass("\(provider): \(url) answers (status \(status))")
    }
}

/// This machine's clock against others.
struct ClockFacts: Sendable, Equatable {
    /// Seconds that it is ahead, by whom.
    var ahead: [String: Double] = [:]

    /// HTTP's dates have whole seconds, and answers take some.
    private static let tolerable = 10.0
    private static let wrong = 300.0

    var judgement: Judgement {
        // Who agrees most: a provider's own clock may be wrong.
        guard let (name, ahead) = ahead.min(by: { (abs($0.value), $0.key) < (abs($1.value), $1.key) }) else {
            return .warning("the clock was compared with nobody's: no provider has answered with a date", "compare it by `timedatectl`")
        }
        let words = "the clock is \(Figures.duration(abs(ahead))) \(ahead < 0 ? "behind" : "ahead of") \(name)"
        if abs(ahead) <= Self.tolerable { return .pass("the clock agrees with \(name)") }
        let remedy = "timedatectl set-ntp true, or install systemd-timesyncd or chrony"
        return abs(ahead) < Self.wrong
            ? .warning(words, remedy)
            : .fault("\(words): servers refuse handshakes from before the last one, and certificates may not count", remedy)
    }
}

/// Names that this machine must resolve.
struct NameFacts: Sendable, Equatable {
    var asked: [String]
    var unresolved: [String]

    var judgement: Judgement {
        if asked.isEmpty { return .pass("no provider's API is configured by a name") }
        guard !unresolved.isEmpty else { return .pass("\(asked.sorted().joined(separator: ", ")): resolved") }
        let words = "\(unresolved.sorted().joined(separator: ", ")) can't be resolved"
        return .fault(words, "look at /etc/resolv.conf and at the resolver that it names (`getent hosts \(unresolved.sorted()[0])`)")
    }
}

/// Whether servers accept an account's key.
struct KeyFacts: Sendable, Equatable {
    /// "nordvpn/main"
    var account: String
    /// Why there is no key, or no server to ask.
    var trouble: String?
    var remedy: String?
    /// False where asking could take a tunnel away from an exit, so that nobody was asked.
    var mayAsk = true
    var asked = 0
    var accepted = 0
    /// Of those that were asked, how many answer an echo or a connection.
    var reachable = 0

    var judgement: Judgement {
        if let trouble { return .fault("\(account): \(trouble)", remedy ?? "mend the account's settings in providers, and ask again") }
        guard mayAsk else {
            return .warning(
                "\(account): no server was asked: which ones exits hold is not known, and a handshake would take a tunnel away",
                "start the engine, and ask again")
        }
        guard asked > 0 else { return .warning("\(account): every server is held by an exit", "none: they prove the key") }
        if accepted > 0 { return .pass("\(account): \(accepted) of \(asked) servers accept the key") }
        if reachable > 0 {
            return .fault(
                "\(account): \(reachable) of \(asked) servers are there, and none accepts the key",
                "make a new key in the provider's account; if that is not it, something on the way stops UDP")
        }
        return .fault(
            "\(account): none of \(asked) servers answers",
            "let UDP out to the servers' ports (51820 and others); if it is, the key may have been revoked")
    }
}
