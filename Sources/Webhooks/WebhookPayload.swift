import Model
import Platform

/// What a receiver is sent: an event, or something that only it is told.
struct WebhookPayload: Encodable {
    /// Events that a receiver can't be sent any more.
    struct Missed {
        var reason: EventPage.Gap
        /// The last event that it is done with.
        var after: String
        /// The first one that is still kept; nil where those in between can't be told.
        var before: EventPlace?
    }

    /// The event's; the same each time when it is sent again.
    var id: String
    var hook: String
    var event: Event
    var kind: String
    private var missed: Missed?

    init(id: String, hook: String, event: Event, kind: String) {
        (self.id, self.hook, self.event, self.kind) = (id, hook, event, kind)
    }

    init(_ missed: Missed, hook: String) {
        let message =
            switch missed.reason {
            case .tooOld: "the events between \(missed.after) and \(missed.before?.description ?? "?") are missing: they are no longer kept"
            case .unknown: "\(missed.after) is later than the last event: what came since then is missing"
            }
        id = "gap-\(missed.before?.description ?? missed.after)"
        (self.hook, kind, self.missed) = (hook, "webhook.gap", missed)
        event = Event(at: SystemClock.now(), .reloaded, .warning, message)
    }

    enum Key: String, CodingKey {
        case id, webhook, at, kind, severity, message, country, exit, server, reason, cause, by, after, before
    }

    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Key.self)
        try fields.encode(id, forKey: .id)
        try fields.encode(hook, forKey: .webhook)
        try fields.encode(event.at, forKey: .at)
        try fields.encode(kind, forKey: .kind)
        try fields.encode(event.severity, forKey: .severity)
        try fields.encode(event.message, forKey: .message)
        try fields.encodeIfPresent(event.country, forKey: .country)
        try fields.encodeIfPresent(event.exit, forKey: .exit)
        try fields.encodeIfPresent(event.server, forKey: .server)
        try fields.encodeIfPresent(missed?.reason.rawValue ?? event.reason?.rawValue, forKey: .reason)
        try fields.encodeIfPresent(event.cause, forKey: .cause)
        try fields.encodeIfPresent(event.by, forKey: .by)
        try fields.encodeIfPresent(missed?.after, forKey: .after)
        try fields.encodeIfPresent(missed?.before?.description, forKey: .before)
    }
}
