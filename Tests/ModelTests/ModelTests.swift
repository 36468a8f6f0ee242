import FoundationEssentials
import Model
import Testing

@Suite struct CountryCodeTests {
    @Test(arguments: [("us", "US"), ("US", "US"), ("uk", "GB"), ("Uk", "GB"), ("xk", "XK")])
    func `a country is read in either case, and uk is gb`(text: String, code: String) {
        #expect(CountryCode(text)?.rawValue == code)
    }

    @Test(arguments: ["", "u", "usa", "zz", "u1", "ü1", "--"])
    func `a code that no country has is refused`(text: String) { #expect(CountryCode(text) == nil) }

    @Test func `every country has a name and reads itself back`() {
        #expect(CountryCode.all.count == 250)
        for country in CountryCode.all {
            #expect(!country.name.isEmpty)
            #expect(CountryCode(country.lowercased) == country)
        }
    }
}

@Suite struct CityNameTests {
    @Test(arguments: [
        ("New York", "newyork"), ("new_york", "newyork"), ("St. Louis", "stlouis"), ("Washington, D.C.", "washingtondc"),
        ("Tel-Aviv", "telaviv"), ("São Paulo", "saopaulo"), ("Querétaro", "queretaro"), ("Quere\u{301}taro", "queretaro"),
        ("Zürich", "zurich"), ("ÎLE-DE-FRANCE", "iledefrance"), ("Coeur d’Alene", "coeurdalene"), ("Łódź", "lodz"), ("Tromsø", "tromso"),
        ("Thành phố Hồ Chí Minh", "thanhphohochiminh"), ("Đà Nẵng", "danang"), ("İstanbul", "istanbul"), ("Weißenfels", "weissenfels"),
        ("Reykjavík", "reykjavik"), ("Chișinău", "chisinau"), ("Ashburn 2", "ashburn2"), ("", ""), (" - ", ""), ("東京", "東京"),
    ])
    func `a city is compared by its letters and digits alone`(name: String, folded: String) {
        #expect(CityName.folded(name) == folded)
        #expect(CityName.folded(folded) == folded)
    }
}

@Suite struct ExitIDTests {
    @Test(arguments: [("us-1", "us-1"), ("uk-12", "gb-12"), ("DE-999", "de-999")])
    func `an exit's name is read`(text: String, name: String) { #expect(ExitID(text)?.description == name) }

    @Test(arguments: ["us", "us-", "us-0", "us-1000", "us-01", "us--1", "us-1-2", "zz-1", "us-+1", "us-1 "])
    func `anything else is no exit's name`(text: String) { #expect(ExitID(text) == nil) }
}

@Suite struct TimestampTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"), (951_827_696_789, "2000-02-29T12:34:56.789Z"), (1_795_222_861_001, "2026-11-21T01:01:01.001Z"),
        (-1, "1969-12-31T23:59:59.999Z"), (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
    ])
    func `a moment is written as RFC 3339 and read back`(milliseconds: Int64, text: String) {
        #expect(Timestamp(milliseconds: milliseconds).description == text)
        #expect(Timestamp(text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        "", "2026-11-21", "2026-13-21T01:01:01.001Z", "2026-11-21T25:01:01.001Z", "2026-11-21T01:01:01.0011", "x026-11-21T01:01:01.001Z",
    ])
    func `anything else is no moment`(text: String) { #expect(Timestamp(text) == nil) }
}

@Suite struct FieldReaderTests {
    private func document(_ text: String) throws -> Document { try JSONDecoder().decode(Document.self, from: Data(text.utf8)) }

    @Test func `all mistakes are told at once, by the path of their fields`() throws {
        let reader = FieldReader(try document(#"{"size":"3","extra":1,"api":{"port":70000,"adress":"x"},"country":"zz"}"#))
        _ = reader.integer("size", in: 1...10)
        _ = reader.country("country")
        let api = reader.section("api")
        _ = api.integer("port", in: 1...65_535)
        _ = api.string("address")
        _ = reader.required("name", reader.string("name"), want: "a name")
        #expect(reader.finish().map(\.field).sorted() == ["api.adress", "api.port", "country", "extra", "name", "size"])
    }

    @Test func `a wrong type is told from a wrong value`() throws {
        let reader = FieldReader(try document(#"{"size":"3","port":0}"#))
        _ = reader.integer("size", in: 1...10)
        _ = reader.integer("port", in: 1...10)
        #expect(reader.finish().map(\.isTypeMismatch) == [true, false])
    }

    @Test func `a control character is refused, whatever the field is for`() throws {
        let reader = FieldReader(try document(#"{"city":"a\nb"}"#))
        #expect(reader.string("city") == nil)
        #expect(reader.finish().count == 1)
    }

    @Test func `a secret is never printed`() {
        let secret = Secret("very secret")
        #expect(!"\(secret) \(String(reflecting: secret)) \([secret])".contains("very secret"))
        var dumped = ""
        dump(secret, to: &dumped)
        #expect(!dumped.contains("very secret"))
    }
}
