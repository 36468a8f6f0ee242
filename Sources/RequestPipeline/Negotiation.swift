import HTTPServing

/// What a client accepts (RFC 9110, section 12).
enum Negotiation {
    /// True where `Accept` refuses every one of the types with a weight of 0. What it only leaves out is answered all the same, as
    /// section 12.5.1 has it: a client that can't read our one form is better off with it than with none.
    static func refuses(_ header: String?, _ types: [String]) -> Bool {
        guard let header, !types.isEmpty else { return false }
        var weights: [String: Double] = [:]
        for item in header.split(separator: ",").prefix(64) {
            let parts = item.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            guard let type = parts.first else { continue }
            // Clients of Java have a lone asterisk for everything.
            weights[type == "*" ? "*/*" : type] = weight(parts.dropFirst())
        }
        return types.allSatisfy { type in
            let range = type.prefix { $0 != "/" } + "/*"
            return weights[type] ?? weights[String(range)] ?? weights["*/*"] == 0
        }
    }

    static func acceptsGzip(_ header: String?) -> Bool {
        guard let header, header.contains("gzip") || header.contains("*") else { return false }
        var any: Double?
        for item in header.split(separator: ",").prefix(64) {
            let parts = item.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            if parts.first == "gzip" { return weight(parts.dropFirst()) > 0 }
            if parts.first == "*" { any = weight(parts.dropFirst()) }
        }
        return (any ?? 0) > 0
    }

    private static func weight(_ parameters: ArraySlice<String>) -> Double {
        parameters.first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
    }

    /// True where `If-None-Match` names this ETag, by weak comparison.
    static func matches(_ header: String, _ etag: String) -> Bool {
        if header == "*" { return true }
        func opaque(_ text: Substring) -> Substring { text.hasPrefix("W/") ? text.dropFirst(2) : text }
        let wanted = opaque(etag[...])
        return header.split(separator: ",").contains { opaque($0.drop { $0 == " " }.prefix { $0 != " " }) == wanted }
    }

    /// True for `application/json`, with or without parameters, but in no other encoding than UTF-8.
    static func isJSON(_ header: String?) -> Bool {
        guard let header else { return false }
        let parts = header.lowercased().split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" && $0 != "\"" } }
        return parts.first == "application/json" && parts.dropFirst().allSatisfy { !$0.hasPrefix("charset=") || $0 == "charset=utf-8" }
    }

    /// True for a body without a word in it: blanks, an empty object, null. What is longer than 1024 bytes is not looked through.
    static func saysNothing(_ body: [UInt8]) -> Bool {
        guard body.count <= 1024 else { return false }
        let words = body.split { [0x20, 0x09, 0x0A, 0x0D].contains($0) }.map { String(decoding: $0, as: UTF8.self) }
        return words.isEmpty || words == ["{}"] || words == ["{", "}"] || words == ["null"]
    }
}
