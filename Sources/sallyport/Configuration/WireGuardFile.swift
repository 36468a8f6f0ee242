/// What a tunnel needs of the WireGuard configuration that providers hand out (`wg-quick(8)`): nothing else of it is looked at.
struct WireGuardFile {
    /// The one that is there, or nil where there is none or several that differ.
    var privateKey: String?
    var presharedKey: String?
    /// In CIDR form, of both families.
    var addresses: [String]

    /// Nil for a text that is no such configuration.
    init?(_ text: String) {
        guard let values = Self.values(in: text) else { return nil }
        func single(_ name: String) -> String? {
            let distinct = Set(values[name] ?? [])
            return distinct.count == 1 ? distinct.first : nil
        }
        privateKey = single("privatekey")
        presharedKey = single("presharedkey")
        addresses = values["address"] ?? []
    }

    private static func values(in text: String) -> [String: [String]]? {
        var values: [String: [String]] = [:]
        var isConfiguration = false
        for line in text.split(whereSeparator: \.isNewline) {
            let line = line.prefix { $0 != "#" && $0 != ";" }.filter { !$0.isWhitespace }
            if ["[interface]", "[peer]"].contains(line.lowercased()) { isConfiguration = true }
            guard let equals = line.firstIndex(of: "=") else { continue }
            let name = line[..<equals].lowercased()
            guard ["privatekey", "presharedkey", "address"].contains(name) else { continue }
            isConfiguration = true
            values[name, default: []] += line[line.index(after: equals)...].split(separator: ",").map(String.init)
        }
        return isConfiguration ? values : nil
    }
}
