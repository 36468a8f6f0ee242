import Dispatch
import FoundationEssentials
import Glibc
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

@testable import Providers

/// A list from a real HTTP/2 server, over TLS: `nghttpd`, which speaks nothing else.
@Suite(.timeLimit(.minutes(2))) struct SecureFetchTests {
    private struct Site {
        let folder: TemporaryFolder
        let port: Int
        let pid: Int32
        let client = HTTPClient()

        /// - Parameter name: what its certificate is for.
        init(name: String) async throws {
            folder = try TemporaryFolder()
            port = try Ports.free()
            let made = try await Programs.run(
                "openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=test",
                    "-addext", "subjectAltName=\(name)", "-keyout", "\(folder.path)/key.pem", "-out", "\(folder.path)/cert.pem",
                ])
            #expect(made.status == 0, "\(made.output)")
            try Files.makePrivateFolder("\(folder.path)/www")
            try Files.write(Self.relays(20_000), to: "\(folder.path)/www/list", mode: 0o600)
            let words = "-a 127.0.0.1 -d '\(folder.path)/www' \(port) '\(folder.path)/key.pem' '\(folder.path)/cert.pem'"
            let started = try await Programs.run("sh", ["-c", "nghttpd \(words) >/dev/null 2>&1 </dev/null & echo $!"])
            pid = try #require(Int32(started.output.filter(\.isNumber)), "\(started.output)")
            let provider = provider()
            do {
                try await eventually("it answers") {
                    do { return try await provider.list() as ProviderClient.Answer? != nil } catch {
                        return "\(error)".contains("certificate")
                    }
                }
            } catch {
                stop()
                throw error
            }
        }

        func stop() {
            client.close()
            kill(pid, SIGKILL)
        }

        func provider(authority: Bool = true) -> ProviderClient {
            ProviderClient(
                .mullvad, url: "https://127.0.0.1:\(port)", listPath: "/list", credentials: nil,
                authorityFile: authority ? "\(folder.path)/cert.pem" : nil, client: client)
        }

        private static func relays(_ count: Int) -> String {
            "["
                + (1...count).map {
                    #"{"hostname":"al-\#($0)","country_code":"al","city_name":"Tirana","fqdn":"al-\#($0).relays.mullvad.net","active":true,"#
                        + #""owned":false,"provider":"x","ipv4_addr_in":"198.18.0.5","type":"wireguard","#
                        + #""pubkey":"9TYCXhc1dpXaJ8OgwsqNEVTuEUZmUfDhCSDrxuUBGUY="}"#
                }.joined(separator: ",\n") + "]"
        }
    }

    private func with(_ name: String = "IP:127.0.0.1", _ body: (Site) async throws -> Void) async throws {
        let site = try await Site(name: name)
        let result = await Result { try await body(site) }
        site.stop()
        try result.get()
    }

    @Test func `a list comes by HTTP/2 over TLS, and again only if it has changed`() async throws {
        try await with { site in
            var request = HTTPRequest("GET", "https://127.0.0.1:\(site.port)/list")
            request.authorityFile = "\(site.folder.path)/cert.pem"
            #expect(try await site.client.send(request).version == 20)
            guard case .list(let list, let validators) = try await site.provider().list() else { return #expect(Bool(false)) }
            #expect(list.servers.count == 20_000 && validators.lastModified != nil)
            guard case .unchanged = try await site.provider().list(newerThan: validators) else { return #expect(Bool(false)) }
        }
    }

    @Test func `a certificate that nobody we trust has signed, or that is another name's, is refused`() async throws {
        try await with { site in
            let error = try await #require(throws: ProviderError.self) { try await site.provider(authority: false).list() }
            #expect(error.code == .unreachable && error.message.contains("certificate"), "\(error)")
        }
        try await with("DNS:another.test") { site in
            let error = try await #require(throws: ProviderError.self) { try await site.provider().list() }
            #expect(error.code == .unreachable && error.message.contains("certificate"), "\(error)")
        }
    }

    @Test func `a server that hangs is given up, before a connection stands and on one that stands`() async throws {
        let standard = ProviderClient.Deadlines()
        #expect((standard.connect, standard.silence, standard.whole) == (5, 30, 120))
        try await with { site in
            var provider = site.provider()
            provider.deadlines.connect = 0.5
            provider.deadlines.silence = 1
            _ = try await provider.list()
            // The kernel still takes connections for it, and nobody answers on them.
            let stranger = HTTPClient()
            kill(site.pid, SIGSTOP)
            var late = ProviderClient(
                .mullvad, url: "https://127.0.0.1:\(site.port)", listPath: "/list", credentials: nil,
                authorityFile: "\(site.folder.path)/cert.pem", client: stranger)
            late.deadlines.connect = 0.5
            let start = ContinuousClock.now
            let error = try await #require(throws: ProviderError.self) { try await late.list() }
            #expect(error.code == .unreachable && ContinuousClock.now - start < .seconds(25), "\(error)")
            stranger.close()
            // On the connection that stands, the silence is what ends it.
            let silent = try await #require(throws: ProviderError.self) { try await provider.list() }
            #expect(silent.code == .unreachable && ContinuousClock.now - start < .seconds(25), "\(silent)")
            kill(site.pid, SIGCONT)
            _ = try await provider.list()
        }
    }
}
