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
