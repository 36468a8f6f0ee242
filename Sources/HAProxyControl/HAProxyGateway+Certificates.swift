import Model
import Planning
import Platform

/// Certificates of the TLS port: taken over from the operator's folder into HAProxy's own, each only after HAProxy itself
/// has found it good. A bad one changes nothing: neither the others, nor what runs.
extension HAProxyGateway {
    /// Looks into the operator's folder. A renewed certificate comes into use at run time; another file more or less
    /// reloads HAProxy.
    package func refreshCertificates() async throws {
        guard settings.certificateSource != nil else { return }
        try await mutex.withLock {
            let before = configuration.certificates
            await takeCertificates()
            if before != configuration.certificates, let layout = lastLayout { try await make(layout, isRepair: false) }
        }
    }

    func takeCertificates() async {
        guard let source = settings.certificateSource else { return }
        let entries = CertificateFolder(path: source).entries
        let names = entries.map(\.name)
        if names.isEmpty { note("none", "there is no certificate in \(source), so there is no TLS port") }
        try? sharing.makeFolder(settings.certificateFolder)
        for name in missingCertificates { seenCertificates[name] = nil }
        for entry in entries { await takeOver(entry) }
        dropCertificates(besides: names)
    }

    /// Takes a certificate over if its file has changed since it was looked at last.
    private func takeOver(_ entry: CertificateFolder.Entry) async {
        let (certificate, key): (String, String?)
        do { (certificate, key) = (try Files.read(entry.certificate), try entry.key.map { try Files.read($0) }) } catch {
            return note(entry.name, "\(error)")
        }
        let (name, digest) = (entry.name, Digest.sha256(certificate + (key ?? "")))
        guard seenCertificates[name] != digest else { return }
        do {
            try await take(name, CertificateText(certificate: certificate, key: key).pem)
            log.info("took over a certificate", ["file": entry.certificate])
        } catch {
            log.warning("a certificate is not taken over", ["file": entry.certificate, "error": "\(error)"])
            // HAProxy was away: again at the next look. What it refused stays refused until the file changes.
            if (error as? HAProxyError)?.code == .unavailable { return }
        }
        seenCertificates[name] = digest
    }

    /// What is gone from the operator's folder goes from ours; what was bad from the beginning never came.
    private func dropCertificates(besides names: [String]) {
        let ours = ((try? Files.list(settings.certificateFolder)) ?? []).filter { $0.hasSuffix(".pem") }
        for name in ours where !names.contains(name) {
            Files.remove("\(settings.certificateFolder)/\(name)")
            seenCertificates[name] = nil
        }
        configuration.certificates = ours.filter(names.contains).sorted()
    }

    /// Those that were taken over and whose file is not there any more.
    var missingCertificates: [String] {
        configuration.certificates.filter { !Files.exists("\(settings.certificateFolder)/\($0)") }
    }

    private func take(_ name: String, _ text: String) async throws {
        try await check(certificate: text, name)
        let path = "\(settings.certificateFolder)/\(name)"
        let isNew = !Files.exists(path)
        try sharing.write(text, to: path)
        guard !isNew, await isRunning() else { return }
        let answer = try await sockets.stats.send("set ssl cert \(path)", payload: text)
        let committed = try await sockets.stats.send("commit ssl cert \(path)")
        guard committed.contains("Success") else {
            _ = try? await sockets.stats.send("abort ssl cert \(path)")
            throw HAProxyError(code: .refused, action: "replacing \(name)", message: String((answer + committed).prefix(300)))
        }
    }

    /// - Throws: what HAProxy finds wrong with it.
    private func check(certificate text: String, _ name: String) async throws {
        let (candidate, probe) = ("\(folder)/candidate.certificate", "\(folder)/candidate.cfg")
        defer {
            Files.remove(candidate)
            Files.remove(probe)
        }
        try Files.write(text, to: candidate, mode: 0o600)
        let times = ["client", "connect", "server"].map { "    timeout \($0) 1s\n" }.joined()
        let listener = "frontend f\n    bind unix@\(folder)/none.sock ssl crt \(candidate)\n"
        try Files.write("defaults\n    mode tcp\n\(times)\(listener)", to: probe, mode: 0o600)
        // Not quietly: what it says is why.
        let result = try await Programs.run("haproxy", ["-c", "-f", probe])
        if result.status == 0 { return }
        throw HAProxyError(code: .badConfiguration, action: "checking \(name)", message: Self.reason(in: result.output, about: candidate))
    }

    /// What HAProxy finds wrong with a certificate: its first complaint, without the names of our own files.
    private static func reason(in output: String, about candidate: String) -> String {
        let alert = output.split(whereSeparator: \.isNewline).first { $0.contains("[ALERT]") }
        guard let words = alert?.split(separator: " : ").last else { return "HAProxy refuses it without a message" }
        return String(words.replacing(" '\(candidate)'", with: "").prefix(300))
    }

    /// Says a thing once.
    private func note(_ name: String, _ words: String) {
        guard seenCertificates[name] != words else { return }
        seenCertificates[name] = words
        log.warning("certificates", ["file": name, "problem": words])
    }
}
