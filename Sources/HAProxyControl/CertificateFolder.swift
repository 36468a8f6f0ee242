import Platform

/// The certificates in an operator's folder, as people and their programs lay them there:
///
/// | files | who |
/// | --- | --- |
/// | `NAME.pem` with certificate, chain and key | HAProxy's habit |
/// | `NAME.pem` or `NAME.crt`, and `NAME.pem.key`, `NAME.crt.key` or `NAME.key` | HAProxy's other habit |
/// | `NAME/fullchain.pem` and `NAME/privkey.pem`, or the two in the folder itself | certbot (`/etc/letsencrypt/live`) |
/// | `NAME/fullchain.cer` and `NAME/NAME.key` (or `NAME_ecc`), or the two in the folder itself | acme.sh |
struct CertificateFolder: Sendable {
    /// One certificate: what HAProxy's own copy of it is called, and its files.
    struct Entry: Hashable, Sendable {
        /// `NAME.pem`, of letters, digits and `. _ -`.
        var name: String
        var certificate: String
        /// Nil where no file beside it can be its key, so that it must be in the same one.
        var key: String?
    }

    let path: String

    /// What is there, in the order of the names; empty where the folder can't be read.
    var entries: [Entry] {
        let files = Self.names(in: path)
        // One of certbot's or acme.sh's folders itself.
        if let entry = Self.pair(in: path, files, named: path.split(separator: "/").last.map(String.init) ?? "certificate") {
            return [entry]
        }
        var entries: [String: Entry] = [:]
        for file in files {
            let found = Self.pair(in: "\(path)/\(file)", Self.names(in: "\(path)/\(file)"), named: file) ?? single(file, among: files)
            if let found, entries[found.name] == nil { entries[found.name] = found }
        }
        return entries.values.sorted { $0.name < $1.name }
    }

    private func single(_ file: String, among files: [String]) -> Entry? {
        guard let suffix = [".pem", ".crt"].first(where: file.hasSuffix) else { return nil }
        let base = String(file.dropLast(suffix.count))
        let key = ["\(file).key", "\(base).key"].first(where: files.contains)
        // Without a key beside it a .crt is somebody's chain.
        if suffix == ".crt", key == nil { return nil }
        return Entry(name: Self.plain(base) + ".pem", certificate: "\(path)/\(file)", key: key.map { "\(path)/\($0)" })
    }

    /// The pair of files that certbot or acme.sh writes for one certificate.
    private static func pair(in folder: String, _ files: [String], named name: String) -> Entry? {
        let keys = files.filter { $0.hasSuffix(".key") }
        let pairs = [("fullchain.pem", "privkey.pem"), ("fullchain.cer", keys.count == 1 ? keys[0] : "")]
        guard let (certificate, key) = pairs.first(where: { files.contains($0.0) && files.contains($0.1) }) else { return nil }
        return Entry(name: plain(name) + ".pem", certificate: "\(folder)/\(certificate)", key: "\(folder)/\(key)")
    }

    /// The names in a folder that are neither hidden nor too long for HAProxy's copy.
    private static func names(in folder: String) -> [String] {
        ((try? Files.list(folder)) ?? []).filter { !$0.hasPrefix(".") && $0.utf8.count <= 100 }
    }

    /// What may stand in HAProxy's file and in a command: `*.example.com` becomes `_.example.com`.
    private static func plain(_ name: String) -> String {
        String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) ? $0 : "_" })
    }
}
