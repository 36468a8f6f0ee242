package import AccessControl
import OpenAPI
package import Platform

/// How requests are let in.
package struct RequestSettings: Sendable {
    /// Requests of one address or one key in a window; 0 is no limit.
    package var requests = 6000
    /// Those to keys and administration.
    package var strictRequests = 120
    /// Refused keys of one address in a window, after which it must wait.
    package var failedKeys = 20
    package var windowSeconds = 60
    /// Streams that one key may have open, and all together.
    package var streamsPerKey = 16
    package var streams = 1000
    /// Proxies whose X-Forwarded-For is believed.
    package var trustedProxies: [IPNetwork] = []
    /// Addresses that may call at all, other than for health; empty for everybody.
    package var allowedNetworks: [IPNetwork] = []
    /// Origins of pages whose scripts may call: `https://dashboard.example`.
    package var origins: [String] = []
    /// How long browsers stay signed in.
    package var sessions = Session.Limits()
    package var logsRequests = true
    /// True where `/metrics` has proxy users' names for every role that may see it.
    package var showsUserNames = false
    /// True where requests that change nothing are audited too.
    package var auditsRequests = false
    package init() {}

    /// How many requests of a class are let in; nil where that has no limit.
    func most(_ limit: LimitClass) -> Int? {
        switch limit {
        case .standard: requests > 0 ? requests : nil
        case .strict: strictRequests
        case .none: nil
        }
    }
}
