import Model
import Platform
import WireGuardFiles

/// The command for WireGuard files. It asks no controller, and prints no private or preshared key.
extension Command {
    static let wireguard = Command(
        name: "wireguard", actions: [Action("check", "FILE...")], summary: "Say what is understood of WireGuard files, line by line",
        options: [jsonOption],
        examples: ["sallyport wireguard check us-nyc-1.conf", "sallyport wireguard check /etc/sallyport/wireguard"]
    ) { arguments in
        let paths = arguments.words.dropFirst()
        guard !paths.isEmpty else { throw UsageError(message: "FILE is missing, expected WireGuard files, or a folder of them") }
        let check = WireGuardCheck(Array(paths))
        print(arguments.has("json") ? check.document.json : check.text)
        return check.isGood ? Status.success : Status.failure
    }
}

/// What `wireguard check` finds.
struct WireGuardCheck {
    /// Folders, or nothing for files that were named by themselves, with what is in them.
    private var found: [ServerFiles] = []
    /// Files and lists that can't be read, in words.
    private var problems: [String] = []

    /// Files of one folder are looked at together: they have a list beside them, and may share a key.
    init(_ paths: [String]) {
        var texts: [String: [String: String]] = [:]
        for path in paths {
            if let names = try? WireGuardFolder.names(in: path) {
                if names.isEmpty { problems.append("\(path): has no file whose name ends in .conf") }
                for name in names { read(name, in: path, &texts) }
            } else {
                let cut = path.lastIndex(of: "/")
                let folder = cut.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
                read(String(path[(cut.map(path.index(after:)) ?? path.startIndex)...]), in: folder, &texts)
            }
        }
        for (folder, texts) in texts.sorted(by: { $0.key < $1.key }) {
            let places = WireGuardFolder.places(in: folder)
            problems += places.problems.map { "\(folder)/\(NamedPlaces.file): \($0)" }
            found.append(ServerFiles(texts, places: places, standard: WireGuardFolder.standard))
        }
    }

    private mutating func read(_ name: String, in folder: String, _ texts: inout [String: [String: String]]) {
        do { texts[folder, default: [:]][name] = try WireGuardFolder.text(of: name, in: folder) } catch { problems.append("\(error)") }
    }

    private var files: [ServerFile] { found.flatMap(\.files) }
    private var sentencesOfKeys: [String] { found.flatMap(\.sentencesOfKeys) }

    /// True where every file can be used.
    var isGood: Bool { problems.isEmpty && files.allSatisfy(\.isUsable) }

    // MARK: - For people

    var text: String {
        let notes = sentencesOfKeys.map { "\($0): one exit at a time has it, unless providers.wireguard.devices allows more" }
        let blocks = files.map(Self.text) + (problems + notes).map { "\($0)\n" }
        return String(blocks.joined(separator: "\n").dropLast())
    }

    private static func text(of file: ServerFile) -> String {
        let rows = file.findings.flatMap { finding -> [[String]] in
            let line = finding.line == 0 ? "file" : "line \(finding.line)"
            return [["  \(line)", finding.kind.rawValue, finding.words]] + (finding.remedy.map { [["", "", "-> \($0)"]] } ?? [])
        }
        return "\(file.name): \(headline(of: file))\n" + Text.columns(rows)
    }

    private static func headline(of file: ServerFile) -> String {
        guard file.isUsable, let place = file.place else { return "can't be used" }
        let origin =
            switch place.origin {
            case .list: "as \(NamedPlaces.file) says"
            case .comment: "as a comment says"
            case .name: "from the file's name"
            }
        return
            "server \(file.hostname) in \(place.country)\(place.city.map { ", \($0)" } ?? "") (\(origin)), our public key \(file.publicKey ?? "")"
    }

    // MARK: - For programs

    var document: Document {
        .object([
            "ok": .bool(isGood), "files": .array(files.map(Self.document)), "problems": .array(problems.map(Document.string)),
            "one_key": .array(found.flatMap(\.ofOneKey).map { .array($0.map { .string($0.name) }) }),
        ])
    }

    private static func document(of file: ServerFile) -> Document {
        func text(_ value: String?) -> Document { value.map(Document.string) ?? .null }
        let findings = file.findings.map { finding -> Document in
            .object([
                "line": finding.line == 0 ? .null : .integer(finding.line), "kind": .string(finding.kind.rawValue),
                "message": .string(finding.words), "remedy": text(finding.remedy),
            ])
        }
        return .object([
            "file": .string(file.name), "usable": .bool(file.isUsable), "hostname": .string(file.hostname),
            "country": text(file.place?.country.rawValue), "country_from": text(file.place?.origin.rawValue),
            "city": text(file.place?.city), "client_public_key": text(file.publicKey), "server_public_key": text(file.file.peer?.publicKey),
            "endpoint": text(file.file.peer?.endpoint.map { "\($0.host):\($0.port)" }), "findings": .array(findings),
        ])
    }
}
