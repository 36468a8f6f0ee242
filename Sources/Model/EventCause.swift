/// What caused an event, as its text says. A text of another version is kept as it is.
package struct EventCause: RawRepresentable, Hashable, Codable, Sendable {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    /// The Docker Engine: a container ended.
    package static let engine = EventCause(rawValue: "engine")
    /// The lease of the controller that leads.
    package static let lease = EventCause(rawValue: "lease")
    /// A request of the API.
    package static let `operator` = EventCause(rawValue: "operator")
    package static let planner = EventCause(rawValue: "planner")
    package static let probe = EventCause(rawValue: "probe")
    /// A request of a proxy user.
    package static let demand = EventCause(rawValue: "demand")
    /// A user's quota.
    package static let quota = EventCause(rawValue: "quota")
    /// SIGHUP.
    package static let signal = EventCause(rawValue: "signal")
    /// The start of an exit.
    package static let start = EventCause(rawValue: "start")
    package static let webhooks = EventCause(rawValue: "webhooks")
}
