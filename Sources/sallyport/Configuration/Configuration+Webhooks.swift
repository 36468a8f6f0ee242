import Model
import Planning
import Platform
import Webhooks

extension Configuration {
    /// Which receivers are sent to, and for how long a failing one is tried.
    struct WebhookSettings: Sendable {
        var allowsPrivate: Bool
        var allowsPlainHTTP: Bool
        var deadline: Double
        var longestPause: Double
        var disableAfter: Double
        var giveUpAfter: Int
        var authorityFile: String?

        func sending(version: String) -> WebhookSender.Settings {
            var settings = WebhookSender.Settings()
            settings.rules = WebhookRules(
                backOff: BackOff(first: 1, longest: longestPause), disableAfter: disableAfter, giveUpAfter: giveUpAfter)
            settings.addresses = WebhookAddresses(allowsPrivate: allowsPrivate, allowsPlainHTTP: allowsPlainHTTP)
            settings.deadline = deadline
            settings.version = version
            return settings
        }
    }

    static func readWebhooks(_ reader: FieldReader) -> WebhookSettings {
        let authority = reader.string("ca_file").map(Files.absolute)
        if let authority, !Files.exists(authority) { reader.problem("ca_file", "\(authority) is not there") }
        return WebhookSettings(
            allowsPrivate: reader.bool("allow_private") ?? false, allowsPlainHTTP: reader.bool("allow_http") ?? false,
            deadline: reader.number("timeout_seconds", in: 1...60) ?? 10,
            longestPause: reader.number("longest_pause_seconds", in: 1...3600) ?? 900,
            disableAfter: reader.number("disable_after_seconds", in: 1...2_592_000) ?? 86_400,
            giveUpAfter: reader.integer("give_up_after", in: 1...1000) ?? 10, authorityFile: authority)
    }
}
