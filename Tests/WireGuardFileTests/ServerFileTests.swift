import Model
import Platform
import Testing

@testable import WireGuardFiles

/// Which server a file is, and where.
@Suite struct ServerFileTests {
    private static func text(_ key: String = WireGuardFileTests.key, comment: String = "", address: String = "10.64.12.34/32") -> String {
        "\(comment)\n"
            + WireGuardFileTests.plain.replacing(WireGuardFileTests.key, with: key).replacing("10.64.12.34/32", with: address)
    }

    private static func files(_ texts: [String: String], _ places: NamedPlaces = NamedPlaces()) -> ServerFiles {
        ServerFiles(texts, places: places, standard: WireGuardFileTests.standard)
    }

    @Test(
        arguments: [
            ("us-nyc-1.conf", "US", "nyc"), ("US_New.conf", "US", "new"), ("de.conf", "DE", nil), ("uk12.conf", "GB", nil),
            ("wg-US-FREE-12.conf", "US", nil), ("mullvad-se-got-wg-001.conf", "SE", "got"), ("united-states-dallas.CONF", "US", "dallas"),
            ("germany.conf", "DE", nil), ("Bosnia and Herzegovina 2.conf", "BA", nil), ("us-stl.prod.surfshark.com.conf", "US", "stl"),
            ("wg0.conf", nil, nil), ("office.conf", nil, nil), ("zz-1.conf", nil, nil), (".conf", nil, nil), ("wg.conf", nil, nil),
            ("us1a.conf", nil, nil), ("wg-CH-US-12.conf", "US", nil), ("wg-SE-UK-1.conf", "GB", nil), ("wg-US-CA-3.conf", "US", nil),
            ("ch-zh-1.conf", "CH", nil),
        ] as [(String, String?, String?)]) func `a name says country and city`(name: String, country: String?, city: String?)
    {
        let place = Self.files([name: Self.text()]).files.first?.place
        #expect(place?.country.rawValue == country && place?.city == city)
    }

    @Test func `the list wins over a comment, and a comment over the name`() throws {
        let comments = ["# Country: Germany", "# country=de\n# City: Berlin", "# DE-BE#12"]
        for comment in comments {
            let file = try #require(Self.files(["us-nyc-1.conf": Self.text(comment: comment)]).files.first)
            #expect(file.place?.country.rawValue == "DE" && file.place?.origin == .comment && file.isUsable, "\(comment)")
            #expect(file.place?.city == (comment.contains("Berlin") ? "Berlin" : nil), "the name's city is another country's")
        }
        for (comment, country) in [
            ("# CH-US#12", "US"), ("# IS-UK#1", "GB"), ("# US-CA#3", "US"), ("# DE#53-TOR", "DE"), ("# CH-FREE#1", "CH"),
        ] {
            let file = try #require(Self.files(["office.conf": Self.text(comment: comment)]).files.first)
            #expect(file.place?.country.rawValue == country, "\(comment)")
        }
        let list = NamedPlaces(.object(["us-nyc-1.conf": .object(["country": .string("fr"), "city": .string("Paris")])]))
        let place = Self.files(["us-nyc-1.conf": Self.text(comment: comments[0])], list).files.first?.place
        #expect(place == ServerPlace(name: "fr-paris", comments: [], given: .init(country: CountryCode("fr"), city: "Paris")))
    }

    @Test func `a list that can't be read is told entry by entry`() {
        let list = NamedPlaces(
            .object([
                "a.conf": .string("us"), "b.conf": .string("moon"), "c.conf": .integer(3),
                "d.conf": .object(["country": .string("de"), "colour": .string("red"), "city": .bool(true)]),
            ]))
        #expect(
            list.problems == [
                "b.conf: moon is no country, expected a code like us", "c.conf has no country, expected a code like us",
                "d.conf: city is no text", "d.conf: colour is unknown, expected country or city",
            ])
        #expect(list.places["a.conf"]?.country?.rawValue == "US" && list.places["d.conf"]?.country?.rawValue == "DE")
        #expect(NamedPlaces(.array([])).problems.count == 1 && NamedPlaces(.null).problems.isEmpty)
    }

    @Test func `a server has the file's name, its endpoint and an account that doesn't tell the key`() throws {
        let server = try #require(Self.files(["US NYC (1).conf": Self.text()]).servers.first)
        #expect(server.hostname == "us-nyc--1-.conf" && server.provider == .wireguard && server.address == "193.0.2.10")
        let account = try #require(server.account)
        #expect(account.hasPrefix("key-") && !account.contains(WireGuardFileTests.key.prefix(8)))
        #expect(Self.files(["office.conf": Self.text()]).servers.isEmpty, "without a country")
    }

    @Test func `files of one key are found, and those with different addresses told`() {
        let files = Self.files([
            "us-1.conf": Self.text(), "us-2.conf": Self.text(address: "10.9.9.9/32"), "de-1.conf": Self.text(WireGuardFileTests.peerKey),
            "broken.conf": "[Interface]\nPrivateKey = \(WireGuardFileTests.key)\n",
        ])
        #expect(files.ofOneKey.map { $0.map(\.name) } == [["us-1.conf", "us-2.conf"]])
        #expect(
            files.sentencesOfKeys == [
                "us-1.conf, us-2.conf have one private key, but the addresses 10.64.12.34/32, 10.9.9.9/32: all but one may be out of date"
            ])
        #expect(Set(files.servers.map(\.account)).count == 2)
    }

    @Test func `two names that become one are told`() {
        let files = Self.files(["us-1.conf": Self.text(), "US-1.conf": Self.text()])
        #expect(files.servers.count == 1)
        #expect(files.files.flatMap(\.problems).map(\.words) == ["would have the name of US-1.conf, us-1.conf"])
    }
}
