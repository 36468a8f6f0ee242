package import Model
import Platform

/// One WireGuard file as a server of the provider `wireguard`: an account of its own, with one key and one server.
package struct ServerFile: Sendable, Equatable {
    /// The file's name without its folder.
    package let name: String
    /// What the server is called: the file's name in lower case, with - for what no host name has.
    package let hostname: String
    package let file: WireGuardFile
    /// Nil where nothing says its country.
    package let place: ServerPlace?
    /// Nil where it can't be used.
    package let tunnel: WireGuardFile.Tunnel?
    /// Nil where it has no private key.
    package let publicKey: String?
    /// All that was made of it, in the order of lines; what it lacks as a whole comes first.
    package private(set) var findings: [WireGuardFile.Finding]

    init(name: String, text: String, places: NamedPlaces, standard: TunnelFacts) {
        let file = WireGuardFile(text)
        let place = ServerPlace(name: name, comments: file.comments.map(\.text), given: places.places[name])
        (self.name, self.file, self.place) = (name, file, place)
        hostname = Self.hostname(of: name)
        publicKey = file.privateKey.flatMap { WireGuardKeys(privateKey: $0)?.publicKey }
        findings = (file.problems.isEmpty ? file.lacks : []) + file.findings
        if file.isConfiguration, place == nil { findings.insert(Self.withoutCountry, at: 0) }
        tunnel = place == nil ? nil : file.tunnel(standard)
    }

    /// Why it can't be used; empty where it can.
    package var problems: [WireGuardFile.Finding] { findings.filter { $0.kind == .refused } }

    package var isUsable: Bool { problems.isEmpty && tunnel != nil }

    mutating func refuse(_ words: String, remedy: String) {
        findings.insert(WireGuardFile.Finding(line: 0, kind: .refused, words: words, remedy: remedy), at: 0)
    }

    /// What the planner calls its key, which says nothing of the key itself: servers of one key are one account's.
    package static func account(of publicKey: String) -> String { "key-\(Digest.sha256(publicKey).prefix(12))" }

    /// The server for the catalog; nil where the file can't be used.
    package var server: Server? {
        guard isUsable, let tunnel, let place, let publicKey else { return nil }
        return Server(
            provider: .wireguard, hostname: hostname, address: tunnel.endpoint.host, port: tunnel.endpoint.port,
            publicKey: tunnel.publicKey,
            country: place.country, city: place.city, load: nil, account: Self.account(of: publicKey))
    }

    private static let withoutCountry = WireGuardFile.Finding(
        line: 0, kind: .refused, words: "says no country",
        remedy:
            "begin its name with the country's code (us-nyc-1.conf), or put a line \"# Country: us\" into it, or name it in \(NamedPlaces.file)"
    )

    static func hostname(of name: String) -> String {
        let bytes = name.lowercased().unicodeScalars.map { scalar -> Character in
            switch scalar {
            case "a"..."z", "0"..."9", ".", "-": Character(scalar)
            default: "-"
            }
        }
        let text = String(bytes.prefix(100))
        return text.hasPrefix("-") || text.hasPrefix(".") ? "f\(text)" : text
    }
}

/// The files of a folder together.
package struct ServerFiles: Sendable, Equatable {
    /// By name.
    package private(set) var files: [ServerFile]
    /// Files of one private key, by name, where there are several: an exit of one of them is the key's only one.
    package let ofOneKey: [[ServerFile]]

    package init() { (files, ofOneKey) = ([], []) }

    /// - Parameters:
    ///   - texts: by the files' names.
    ///   - standard: what counts where a file says nothing.
    package init(_ texts: [String: String], places: NamedPlaces = NamedPlaces(), standard: TunnelFacts) {
        var names: [String: String] = [:]
        files = texts.sorted { $0.key < $1.key }.map { name, text in
            var file = ServerFile(name: name, text: text, places: places, standard: standard)
            if let other = names.updateValue(name, forKey: file.hostname) {
                names[file.hostname] = other
                file.refuse("would have the name of \(other), \(file.hostname)", remedy: "rename one of them")
            }
            return file
        }
        let groups = Dictionary(grouping: files.filter { $0.isUsable }, by: \.publicKey).values.filter { $0.count > 1 }
        ofOneKey = groups.map { $0.sorted { $0.name < $1.name } }.sorted { $0[0].name < $1[0].name }
    }

    package var servers: [Server] { files.compactMap(\.server) }

    /// What is to be told of files that share a key, a sentence for each key.
    package var sentencesOfKeys: [String] {
        ofOneKey.map { files in
            let names = files.prefix(5).map(\.name).joined(separator: ", ") + (files.count > 5 ? " and \(files.count - 5) more" : "")
            let addresses = Set(files.compactMap(\.file.address)).sorted()
            let differ =
                addresses.count > 1
                ? ", but the addresses \(addresses.prefix(5).joined(separator: ", ")): all but one may be out of date" : ""
            return "\(names) have one private key\(differ)"
        }
    }
}
