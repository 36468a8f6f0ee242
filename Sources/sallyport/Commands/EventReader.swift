/// One server-sent event as it came.
struct ReceivedEvent: Equatable, Sendable {
    var id: String?
    var name: String
    var data: String
}

/// Reads server-sent events from a stream of bytes (WHATWG HTML, section 9.2.6), as far as our API writes them.
struct EventParser: Sendable {
    /// More than any event of ours; a server that sends longer ones is none of ours.
    private static let limit = 1 << 20
    private var rest: [UInt8] = []
    private var name = ""
    private var data: [String] = []
    /// Where to go on after a break: it moves also where nothing is shown.
    private(set) var lastID: String?

    init(lastID: String? = nil) { self.lastID = lastID }

    /// The events that are whole with these bytes; nil where they are none.
    mutating func read(_ bytes: some Sequence<UInt8>) -> [ReceivedEvent]? {
        rest += bytes
        var events: [ReceivedEvent] = []
        var start = rest.startIndex
        while let end = rest[start...].firstIndex(of: 0x0A) {
            var line = rest[start..<end]
            if line.last == 0x0D { line.removeLast() }
            if let event = take(String(decoding: line, as: UTF8.self)) { events.append(event) }
            start = end + 1
        }
        rest.removeFirst(start - rest.startIndex)
        return rest.count > Self.limit ? nil : events
    }

    private mutating func take(_ line: String) -> ReceivedEvent? {
        guard !line.isEmpty else {
            defer { (name, data) = ("", []) }
            guard !data.isEmpty else { return nil }
            return ReceivedEvent(id: lastID, name: name.isEmpty ? "message" : name, data: data.joined(separator: "\n"))
        }
        guard let colon = line.firstIndex(of: ":") else { return nil }
        var value = line[line.index(after: colon)...]
        if value.first == " " { value.removeFirst() }
        switch line[..<colon] {
        case "id": lastID = String(value)
        case "event": name = String(value)
        case "data": data.append(String(value))
        default: break
        }
        return nil
    }
}
