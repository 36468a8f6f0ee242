/// How the body of a webhook's requests is written.
package enum WebhookFormat: String, Codable, Sendable, CaseIterable {
    /// Ours: every field of the event.
    case sallyport
    /// A message, in the form that these services take.
    case slack, discord, teams, telegram
}

/// Where events are sent, which ones, and the secret that signs them.
package struct Webhook: Hashable, Codable, Sendable {
    package var id: String
    package var url: String
    /// Only these kinds; empty for all.
    package var kinds: [EventKind]
    /// Only events of these countries; empty for all, also for events without a country.
    package var countries: [CountryCode]
    /// Nil for ours, and in rows of versions that knew no other.
    package var format: WebhookFormat?
    /// Kept as it is, for it is needed to sign; never shown again after it was made.
    package var secret: String
    package var createdAt: Timestamp

    package init(
        id: String, url: String, kinds: [EventKind] = [], countries: [CountryCode] = [], format: WebhookFormat? = nil, secret: String,
        createdAt: Timestamp
    ) {
        self.id = id
        self.url = url
        self.kinds = kinds
        self.countries = countries
        self.format = format
        self.secret = secret
        self.createdAt = createdAt
    }

    package func wants(_ event: Event) -> Bool {
        guard kinds.isEmpty || kinds.contains(event.kind) else { return false }
        // A receiver that refuses everything would be told of that, and refuse it, without end.
        if event.kind == .hookGaveUp, event.message.contains(id) { return false }
        return countries.isEmpty || event.country.map(countries.contains) ?? false
    }
}

/// How far a webhook has come.
package struct WebhookState: Hashable, Codable, Sendable {
    /// The id of the last event that is done with: delivered, or not wanted.
    package var cursor: String
    package var isEnabled = true
    /// Failed tries in a row, of one event.
    package var failures = 0
    package var failingSince: Timestamp?
    package var retryAt: Timestamp?
    package var lastError: String?
    package var deliveredAt: Timestamp?
    package var disabledAt: Timestamp?
    /// How often its receiver has refused the event that is next; nil for never.
    package var refusals: Int?
    /// Events that were given up since the webhook was made, and the latest of them; nil for none.
    package var deadLetters: Int?
    package var lastDeadLetter: String?
    /// Grows with each change by an operator, so that a sender notices that it works from an old one.
    package var edition = 0

    package init(cursor: String) { self.cursor = cursor }

    /// Tries again from now on, as if nothing had failed.
    package mutating func enable() {
        isEnabled = true
        (failures, failingSince, retryAt, lastError, disabledAt, refusals) = (0, nil, nil, nil, nil, nil)
    }
}

/// A webhook as the store has it.
package struct KeptWebhook: Hashable, Sendable {
    package var hook: Webhook
    package var state: WebhookState
    /// The state as it is written there: a change is made only where it still is.
    package var version: String

    package init(hook: Webhook, state: WebhookState, version: String) {
        self.hook = hook
        self.state = state
        self.version = version
    }
}

/// One try to deliver an event.
package struct WebhookDelivery: Hashable, Codable, Sendable {
    package var at: Timestamp
    /// The event's id; `test` for a test.
    package var event: String
    package var kind: String
    package var attempt: Int
    /// The receiver's answer; nil where there was none.
    package var status: Int?
    package var error: String?
    package var milliseconds: Double

    package init(
        at: Timestamp, event: String, kind: String, attempt: Int, status: Int? = nil, error: String? = nil, milliseconds: Double = 0
    ) {
        self.at = at
        self.event = event
        self.kind = kind
        self.attempt = attempt
        self.status = status
        self.error = error
        self.milliseconds = milliseconds
    }

    package var isDelivered: Bool { error == nil }
    /// True where the receiver's answer was about this event. Nobody's answer, and those of a receiver or a gateway before it that is
    /// busy or away (408, 425, 429, 502, 503, 504), are about none.
    package var isRefused: Bool {
        guard let status, !isDelivered else { return false }
        return ![408, 425, 429, 502, 503, 504].contains(status)
    }
    /// True where the receiver has said that it is gone for good (RFC 9110, section 15.5.11).
    package var isGone: Bool { status == 410 }
}

/// The parts of a URL that events may be sent to. Read strictly, so that no two readers can take it for different places.
package struct WebhookTarget: Hashable, Sendable {
    package var isSecure: Bool
    /// A name in lower case, an IPv4 address, or an IPv6 address without its brackets.
    package var host: String
    package var port: Int

    /// - Returns: nil for all but `http(s)://host[:port][/path][?query]`, without a user, in printable ASCII.
    package init?(_ url: String) {
        guard url.utf8.count <= 1024, url.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x5C && $0 != 0x23 }) else { return nil }
        let isSecure = url.hasPrefix("https://")
        guard isSecure || url.hasPrefix("http://") else { return nil }
        let authority = url.dropFirst(isSecure ? 8 : 7).prefix { $0 != "/" && $0 != "?" }
        guard let (host, port) = authority.hasPrefix("[") ? Self.bracketed(authority) : Self.plain(authority) else { return nil }
        guard let number = port.map(Self.port) ?? (isSecure ? 443 : 80) else { return nil }
        self.isSecure = isSecure
        self.host = host.lowercased()
        self.port = number
    }

    /// An IPv6 address in brackets, and the port.
    private static func bracketed(_ authority: Substring) -> (host: Substring, port: Substring?)? {
        guard let end = authority.firstIndex(of: "]") else { return nil }
        let host = authority[authority.index(after: authority.startIndex)..<end]
        let rest = authority[authority.index(after: end)...]
        guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
        guard host.contains(":"), host.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else { return nil }
        return (host, rest.isEmpty ? nil : rest.dropFirst())
    }

    /// A name or an IPv4 address, and the port.
    private static func plain(_ authority: Substring) -> (host: Substring, port: Substring?)? {
        let host = authority.prefix { $0 != ":" }
        guard isHost(host) else { return nil }
        return (host, host.endIndex == authority.endIndex ? nil : authority[authority.index(after: host.endIndex)...])
    }

    private static func port(_ text: Substring) -> Int? {
        guard let number = Int(text), (1...65_535).contains(number), String(number) == text else { return nil }
        return number
    }

    /// A name, or an IPv4 address in its one usual form: `0x7f.1` and `2130706433` are addresses to some readers.
    private static func isHost(_ host: Substring) -> Bool {
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        let isPlain = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
        }
        guard isPlain, host.utf8.count <= 253, let last = labels.last else { return false }
        let isNumber = last.allSatisfy(\.isNumber) || last.lowercased().hasPrefix("0x")
        return !isNumber || (labels.count == 4 && labels.allSatisfy { UInt8($0).map(String.init) == String($0) })
    }
}

extension WebhookTarget {
    /// The chat that the URL of a Telegram bot's `sendMessage` names; nil for none.
    package static func chat(of url: String) -> String? {
        guard let query = url.firstIndex(of: "?") else { return nil }
        let value = url[url.index(after: query)...].split(separator: "&").first { $0.hasPrefix("chat_id=") }?.dropFirst(8)
        return value.flatMap { $0.isEmpty ? nil : String($0).replacing("%40", with: "@").replacing("%2D", with: "-") }
    }
}
