import Model
@testable import sallyport
import Testing

@Suite struct ArgumentsTests {
    private let options = [
        Option(name: "size", value: "N", help: ""), Option(name: "city", value: "CITY", help: ""), Option(name: "json", help: ""),
    ]

    @Test(
        arguments: [
            (["us"], ["us"], nil, false), (["us", "--size", "3"], ["us"], "3", false), (["--size=3", "us", "--json"], ["us"], "3", true),
            (["--size="], [], "", false), (["--size", "--json"], [], "--json", false),
            (["--", "--json", "-x"], ["--json", "-x"], nil, false),
            (["-"], ["-"], nil, false), ([], [], nil, false), (["--size=a=b"], [], "a=b", false),
            (["--size", "1", "--size", "2"], [], "2", false),
        ] as [([String], [String], String?, Bool)])
    func `options and words are told apart`(line: [String], words: [String], size: String?, json: Bool) throws {
        let arguments = try Arguments(line, options: options)
        #expect(arguments.words == words && arguments["size"] == size && arguments.has("json") == json)
    }

    @Test(
        arguments: [
            (["--sise", "3"], "unknown option --sise; known are --size, --city, --json; did you mean --size?"),
            (["-j"], "unknown option -j; known are --size, --city, --json"),
            (["--json=yes"], "--json takes no value"), (["us", "--city"], "--city wants a value: CITY"),
        ])
    func `a line that can't be understood is told`(line: [String], message: String) throws {
        let error = try #require(throws: UsageError.self) { try Arguments(line, options: options) }
        #expect(error.message == message)
    }

    @Test func `numbers have their range, and words their count`() throws {
        let arguments = try Arguments(["us", "--size", "3"], options: options)
        #expect(try arguments.integer("size", in: 1...10) == 3 && arguments.integer("city", in: 1...10) == nil)
        #expect(throws: UsageError.self) { try arguments.integer("size", in: 4...10) }
        #expect(throws: UsageError.self) { try Arguments(["--size", "x"], options: options).integer("size", in: 1...10) }
        #expect(try arguments.expect("<country>") == ["us"])
        #expect(throws: UsageError.self) { try arguments.expect() }
        #expect(throws: UsageError.self) { try arguments.expect("<country>", "<exit>") }
    }
}

@Suite struct SuggestionTests {
    @Test(
        arguments: [
            ("usres", "users"), ("exit", "exits"), ("STATUS", "status"), ("dwon", "down"), ("pool", "pools"), ("brakers", "breakers"),
            ("x", nil), ("", nil), ("fly", nil), ("somethingelse", nil),
        ] as [(String, String?)])
    func `a word that nobody knows is answered with the nearest one, or with none`(word: String, meant: String?) {
        #expect(Suggestion.nearest(to: word, among: Command.all.map(\.name)) == meant)
    }
}

@Suite struct EchoAnswerTests {
    @Test(
        arguments: [
            (#"{"ip":"1.2.3.4","country":"US"}"#, "1.2.3.4", "US"), (#"{"query":"1.2.3.4","countryCode":"de"}"#, "1.2.3.4", "DE"),
            (#"{"address":"2001:db8::1"}"#, "2001:db8::1", nil), (#"{"ip":"1.2.3.4","country":"United States"}"#, "1.2.3.4", nil),
            (#"{"ip":"1.2.3.4","country":7}"#, "1.2.3.4", nil), ("fl=1\nip=1.2.3.4\nts=1\nloc=GB\n", "1.2.3.4", "GB"),
            ("fl=1\r\nip=1.2.3.4\r\nloc=GB\r\n", "1.2.3.4", "GB"), ("1.2.3.4\n", "1.2.3.4", nil), ("  1.2.3.4  ", "1.2.3.4", nil),
            ("::1", "::1", nil),
        ] as [(String, String, String?)])
    func `an answer in any of the usual forms is read`(text: String, address: String, country: String?) throws {
        let answer = try #require(EchoAnswer(Array(text.utf8)))
        #expect(answer.address == address && answer.country?.rawValue == country)
    }

    @Test(
        arguments: [
            "", "{}", "[]", "null", "hello", "<html>1.2.3.4</html>", #"{"ip":7}"#, #"{"ip":"1.2.3.4; drop"}"#, "ip=\nloc=US", "loc=US",
            "1234",
            #"{"ip":"１.2.3.4"}"#, "bad.cafe", "::::", "1.2.3.4.5", "1.2.3", String(repeating: "1.", count: 40), "ip=<b>\nloc=US",
        ])
    func `what is no address is no answer`(text: String) {
        #expect(EchoAnswer(Array(text.utf8)) == nil)
    }
}
