import Model
import OpenAPI

/// `tags`, `hostnames` and `exclude`, as pools and requests for exits have them.
extension Schema {
    static let serverLimitFields: [Field] = [
        .maybe("tags", .list(.text("p2p", pattern: "^[!-~]{1,32}$"), limit: ServerLimits.tagLimit), "only servers with all of these tags"),
        .maybe("hostnames", hostnames("us9001.lab.test"), "only these servers"),
        .maybe("exclude", hostnames("us9002.lab.test"), "none of these servers"),
    ]

    private static func hostnames(_ example: String) -> Schema {
        .list(.text(example, pattern: "^[A-Za-z0-9.-]{1,253}$"), limit: ServerLimits.hostnameLimit)
    }
}

extension FieldReader {
    func serverLimits() -> ServerLimits {
        let tags = words("tags", limit: ServerLimits.tagLimit, want: "1 to 32 printable characters without blanks, like p2p") {
            (1...32).contains($0.utf8.count) && $0.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        }
        return ServerLimits(tags: tags, hostnames: hostnames("hostnames"), exclude: hostnames("exclude"))
    }

    private func hostnames(_ field: String) -> [String]? {
        let names = words(field, limit: ServerLimits.hostnameLimit, want: "a server's host name, like us9001.lab.test") { name in
            (1...253).contains(name.utf8.count)
                && name.utf8.allSatisfy { byte in
                    (0x61...0x7A).contains(byte | 0x20) && byte >= 0x41 || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x2E
                }
        }
        return names.map { Set($0.map { $0.lowercased() }).sorted() }
    }

    /// Each once, in order.
    private func words(_ field: String, limit: Int, want: String, isSound: (String) -> Bool) -> [String]? {
        guard let words = strings(field, limit: limit) else { return nil }
        for (index, word) in words.enumerated() where !isSound(word) { problem("\(field)[\(index)]", "expected \(want)") }
        return Set(words).sorted()
    }
}
