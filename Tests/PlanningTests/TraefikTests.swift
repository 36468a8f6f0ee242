import Model
import Planning
import Testing

@Suite struct TraefikTests {
    private var settings: TraefikConfiguration.Settings {
        .init(
            folder: "/etc/traefik/dynamic", domain: "example.com", apiHost: "api.example.com", apiURL: "http://127.0.0.1:8080",
            gatewayHost: "haproxy", trustedPorts: 21_000)
    }

    private func text(_ countries: [String], _ settings: TraefikConfiguration.Settings? = nil) throws -> String {
        TraefikConfiguration(settings ?? self.settings).text(of: try countries.map { try #require(CountryCode($0)) })
    }

    @Test func `each country has a name, and behind it the port that takes the PROXY protocol`() throws {
        let text = try text(["us", "gb"])
        #expect(text.contains("rule: \"HostSNI(`proxy-us.example.com`)\""))
        #expect(text.contains("servers: [{address: \"haproxy:21538\"}]"))
        #expect(text.contains("rule: \"HostSNI(`proxy-gb.example.com`) || HostSNI(`proxy-uk.example.com`)\""))
        #expect(text.contains("rule: \"HostSNI(`proxy-any.example.com`)\""))
        #expect(text.components(of: "serversTransport: sallyport-gateway") == 4)
        #expect(text.components(of: "sallyport-gateway: {proxyProtocol: {version: 2}}") == 1)
        #expect(!text.contains("proxy-de"))
    }

    @Test func `the text depends on the set of countries alone`() throws {
        #expect(try text(["us", "gb", "us"]) == text(["gb", "us"]))
        #expect(try text([]) != text(["us"]))
        #expect(try text([]).contains("HostSNI(`proxy.example.com`)"))
    }

    @Test func `a resolver gets one certificate for all names, and a file is named once`() throws {
        var settings = settings
        settings.resolver = "letsencrypt"
        // The two general names, one country, the API.
        #expect(try text(["us"], settings).components(of: "domains: [{main: \"*.example.com\"}]") == 4)
        #expect(try !text(["us"], settings).contains("certFile"))
        settings.resolver = nil
        (settings.certificateFile, settings.keyFile) = ("/c.crt", "/c.key")
        #expect(try text(["us"], settings).components(of: "- {certFile: \"/c.crt\", keyFile: \"/c.key\"}") == 1)
        #expect(try !text(["us"], settings).contains("certResolver"))
    }
}

extension String {
    /// How often a text occurs.
    fileprivate func components(of text: String) -> Int { ranges(of: text).count }
}
