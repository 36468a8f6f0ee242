import FoundationEssentials
import Model

/// An event as a message, in the forms of services that people read.
struct WebhookMessage {
    /// Of Discord, the shortest of the four.
    private static let limit = 1900
    private let payload: WebhookPayload
    private let encoder: JSONEncoder

    init(_ payload: WebhookPayload, _ encoder: JSONEncoder) {
        (self.payload, self.encoder) = (payload, encoder)
    }

    /// - Parameter url: of the webhook; Telegram's names the chat.
    /// - Returns: the body of the request; nil where the format is ours.
    func body(_ format: WebhookFormat, url: String) throws -> [UInt8]? {
        switch format {
        case .sallyport: nil
        case .slack: try bytes(["text": escaped(text)])
        case .discord: try bytes(Discord(content: text))
        case .teams: try bytes(Teams(text))
        case .telegram: try bytes(["chat_id": WebhookTarget.chat(of: url) ?? "", "text": text])
        }
    }

    private func bytes(_ value: some Encodable) throws -> [UInt8] { [UInt8](try encoder.encode(value)) }

    /// Two lines: what happened, and what it is about.
    private var text: String {
        let event = payload.event
        let mark = event.severity == .info ? "" : "\(event.severity.rawValue.uppercased()): "
        let about = [payload.kind, event.country?.rawValue, event.server, event.at.description].compactMap(\.self)
        return String((mark + event.message).prefix(Self.limit)) + "\n" + about.joined(separator: ", ")
    }

    /// Slack reads these three signs as its own.
    private func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }

    private struct Discord: Encodable {
        let content: String
        /// Nobody is called by what a message happens to hold.
        let allowedMentions = ["parse": [String]()]
        enum CodingKeys: String, CodingKey {
            case content
            case allowedMentions = "allowed_mentions"
        }
    }

    /// An adaptive card in a message, as the workflows of Teams take it.
    private struct Teams: Encodable {
        struct Attachment: Encodable {
            let contentType = "application/vnd.microsoft.card.adaptive"
            let content: Card
        }
        struct Card: Encodable {
            let schema = "http://adaptivecards.io/schemas/adaptive-card.json"
            let type = "AdaptiveCard"
            let version = "1.4"
            let body: [Block]
            enum CodingKeys: String, CodingKey {
                case schema = "$schema"
                case type, version, body
            }
        }
        struct Block: Encodable {
            let type = "TextBlock"
            let text: String
            let wrap = true
        }

        let type = "message"
        let attachments: [Attachment]

        init(_ text: String) {
            let lines = text.split(separator: "\n").map { Block(text: String($0)) }
            attachments = [Attachment(content: Card(body: lines))]
        }
    }
}
