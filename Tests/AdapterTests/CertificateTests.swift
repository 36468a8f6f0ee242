import Glibc
@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
import TestSupport
import Testing

/// Certificates of HAProxy's own TLS port, as an operator puts them into a folder.
@Suite(.timeLimit(.minutes(1))) struct CertificateTests {
    private typealias Subject = GatewaySubject
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func certificate(_ name: String) async throws -> String { try await Subject.certificate(name) }

    /// The TLS port on, with our folder.
    private func tls(_ settings: inout HAProxyConfiguration.Settings) throws {
        settings.certificateSource = "\(folder.path)/c"
        settings.tlsPort = try Ports.free()
    }

    private func put(_ text: String, _ name: String = "proxies.pem") throws {
        try Files.makePrivateFolder("\(folder.path)/c")
        try Files.write(text, to: "\(folder.path)/c/\(name)", mode: 0o600)
    }

    /// The name in the certificate that the TLS port shows; nil where nothing listens.
    private func shown(_ subject: GatewaySubject) async throws -> String? {
        let port = try #require(subject.settings.tlsPort)
        let result = try await Programs.run(
            "openssl", ["s_client", "-connect", "127.0.0.1:\(port)", "-servername", "proxy-us.example.com"])
        let line = result.output.split(separator: "\n").first { $0.hasPrefix("subject=") }
        return line.map { String($0.split(separator: "=").last ?? "").filter { $0 != " " } }
    }

    private func layout() throws -> GatewayLayout {
        GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, try Subject.exit("american"))])], users: [Subject.user("alice")])
    }

    @Test func `a renewed certificate is served by the same worker, without a reload`() async throws {
        try put(await certificate("first"))
        try await Subject.with(tls) { subject in
            let layout = try layout()
            try await subject.gateway.publish(layout)
            #expect(try await shown(subject) == "first")
            let pid = try await subject.workerPid
            try put(await certificate("second"))
            try await subject.gateway.refreshCertificates()
            #expect(try await shown(subject) == "second")
            #expect(try await subject.workerPid == pid)
            #expect(try await subject.fileEqualsRuntime(layout))
        }
    }

    @Test func `a bad certificate changes nothing, and a good one after it counts`() async throws {
        try put(await certificate("first"))
        try await Subject.with(tls) { subject in
            try await subject.gateway.publish(try layout())
            for bad in ["nonsense", String(try await certificate("keyless").split(separator: "-----BEGIN PRIVATE").first ?? "")] {
                try put(bad)
                try await subject.gateway.refreshCertificates()
                #expect(try await shown(subject) == "first")
            }
            try put(await certificate("third"))
            try await subject.gateway.refreshCertificates()
            #expect(try await shown(subject) == "third")
        }
    }

    /// A file as editors and providers leave it: Windows' line ends, a byte order mark, empty lines, words between the blocks.
    private func untidy(_ text: String) -> String {
        "\u{FEFF}Bag Attributes\r\n    friendlyName: proxies\r\n"
            + text.replacing("\n", with: "\r\n").replacing("-----END", with: "\r\n\r\n-----END").replacing(
                "-----BEGIN", with: "\r\nwords\r\n-----BEGIN")
    }

    @Test func `a renewal with Windows' line ends and empty lines is served, and no line of it is taken for a command`() async throws {
        try put(await certificate("first"))
        try await Subject.with(tls) { subject in
            let layout = try layout()
            try await subject.gateway.publish(layout)
            let pid = try await subject.workerPid
            try put(untidy(await certificate("second")) + "\r\n\r\nshutdown frontend gateway\r\ndisable frontend gateway\r\n")
            try await subject.gateway.refreshCertificates()
            #expect(try await shown(subject) == "second")
            #expect(try await subject.send().text == "american")
            #expect(try await subject.workerPid == pid)
        }
    }

    @Test func `an empty line in what follows a command does not end it`() async throws {
        try put(await certificate("first"))
        try await Subject.with(tls) { subject in
            try await subject.gateway.publish(try layout())
            let socket = RuntimeSocket(path: subject.settings.statsSocket)
            let path = "\(subject.settings.certificateFolder)/proxies.pem"
            let text = try await certificate("second").replacing("\n", with: "\r\n\r\n") + "\r\ndisable frontend gateway\r\n"
            _ = try await socket.send("set ssl cert \(path)", payload: text)
            #expect(try await socket.send("commit ssl cert \(path)").contains("Success"))
            #expect(try await subject.send().text == "american")
        }
    }

    @Test(arguments: [
        ["proxies.pem", "proxies.pem.key"], ["proxies.crt", "proxies.crt.key"], ["proxies.pem", "proxies.key"],
        ["fullchain.pem", "privkey.pem"], ["example.com/fullchain.pem", "example.com/privkey.pem"],
        ["example.com_ecc/fullchain.cer", "example.com_ecc/example.com.key"],
        ["*.example.com_ecc/fullchain.cer", "*.example.com_ecc/*.example.com.key"],
    ])
    func `certificate and key are found where certbot, acme.sh and HAProxy's users lay them`(files: [String]) async throws {
        func putPair(_ name: String) async throws {
            let parts = try await certificate(name).split(separator: "-----BEGIN PRIVATE")
            for (file, text) in zip(files, [String(parts[0]), "-----BEGIN PRIVATE\(parts[1])"]) {
                if let inner = file.split(separator: "/").dropLast().first { try Files.makePrivateFolder("\(folder.path)/c/\(inner)") }
                try put(text, file)
            }
        }
        try await putPair("first")
        // What lies beside them there is nobody's certificate.
        try put("This directory contains your keys and certificates.", "README")
        try await Subject.with(tls) { subject in
            try await subject.gateway.publish(try layout())
            #expect(try await shown(subject) == "first")
            try await putPair("second")
            try await subject.gateway.refreshCertificates()
            #expect(try await shown(subject) == "second")
        }
    }

    @Test func `what is wrong with a certificate is told`() async throws {
        let (one, other) = (try await certificate("one"), try await certificate("other"))
        let key = "-----BEGIN PRIVATE" + other.split(separator: "-----BEGIN PRIVATE")[1]
        let bare = String(one.split(separator: "-----BEGIN PRIVATE")[0])
        let cases = [
            ("nonsense", "it holds no certificate"), (bare, "it has no private key"), (key, "it holds no certificate"),
            (bare + key, "inconsistencies between private key and certificate loaded"),
            (bare + "-----BEGIN CERTIFICATE-----\nAAAA\n", "its CERTIFICATE has no end"),
            (
                bare + key + one.split(separator: "-----BEGIN PRIVATE").dropFirst().map { "-----BEGIN PRIVATE\($0)" }.joined(),
                "more than one private key"
            ),
            (bare + key.replacing("PRIVATE KEY", with: "ENCRYPTED PRIVATE KEY"), "its key is encrypted"),
            (
                bare + "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,1\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
                "its key is encrypted"
            ),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + key, "unable to load certificate from file"),
        ]
        let nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC)
        defer { close(nowhere) }
        for (text, reason) in cases {
            try put(text)
            let tail = LogTail()
            try await Subject.with(tls, log: Log(descriptor: nowhere, tail: tail)) { subject in
                try await subject.gateway.publish(try layout())
            }
            let error = tail.lines.first { $0.message == "a certificate is not taken over" }?.fields["error"] ?? ""
            #expect(error.contains(reason) && !error.contains("candidate"), "\(reason): \(error)")
        }
    }

    @Test func `the port opens with the first certificate and closes with the last`() async throws {
        try Files.makePrivateFolder("\(folder.path)/c")
        try await Subject.with(tls) { subject in
            try await subject.gateway.publish(try layout())
            #expect(try await shown(subject) == nil)
            try put(await certificate("first"))
            try await subject.gateway.refreshCertificates()
            #expect(try await shown(subject) == "first")
            #expect(try await subject.send().text == "american")
            Files.remove("\(folder.path)/c/proxies.pem")
            try await subject.gateway.refreshCertificates()
            #expect(try await shown(subject) == nil)
            #expect(try await subject.send().text == "american")
        }
    }
}
