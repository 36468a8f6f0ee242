import Foundation
import Model
import TestSupport
import Testing

@Suite struct JSONReaderTests {
    @Test(
        arguments: [
            ("null", .null), (" true\r\n", .bool(true)), ("false", .bool(false)), ("0", .integer(0)), ("-0", .integer(0)),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
            ("9223372036854775808", .number(9.223372036854775808e18)),
            ("1.0", .integer(1)), ("1e2", .integer(100)), ("1E+2", .integer(100)), ("9007199254740991.0", .integer(9_007_199_254_740_991)),
            ("9007199254740992.0", .number(9_007_199_254_740_992)), ("0.5", .number(0.5)), ("-1.5e-3", .number(-0.0015)),
            ("1e300", .number(1e300)), (#""""#, .string("")), (#""\"\\\/\b\f\n\r\t""#, .string("\"\\/\u{8}\u{C}\n\r\t")),
            (#""\u0041\u00e9\u20AC\ud83d\ude00é€😀""#, .string("Aé€😀é€😀")), (#""a\u0000b""#, .string("a\0b")), ("[]", .array([])),
            ("[ ]", .array([])),
            ("{}", .object([:])), ("[1,[2,{}],\"x\"]", .array([.integer(1), .array([.integer(2), .object([:])]), .string("x")])),
            ("\t{ \"a\" : 1 ,\n\"b\":{\"a\":null}, \"A\":2}", .object(["a": .integer(1), "b": .object(["a": .null]), "A": .integer(2)])),
            (
                String(repeating: "[", count: 64) + String(repeating: "]", count: 64),
                (1..<64).reduce(.array([])) { value, _ in .array([value]) }
            ),
        ] as [(String, Document)])
    func `what is JSON is read`(text: String, value: Document) throws {
        #expect(try Document(json: text.utf8) == value)
        #expect(try Document(json: Array(text.utf8)) == value)
    }

    /// The text, the byte that the message names, and a word of it.
    private static let wrong: [([UInt8], Int, String)] =
        [
            ("", 0, "nothing is there"), ("  ", 2, "nothing is there"), ("{", 1, "name"), ("[", 1, "ends"), ("[1", 2, "comma"),
            ("{\"a\"", 4, "colon"),
            ("{\"a\":", 5, "ends"), ("\"a", 0, "without its end"), ("nul", 0, "null"), ("True", 0, "begins"), ("NaN", 0, "begins"),
            ("Infinity", 0, "begins"), ("-Infinity", 1, "digit"), ("[1]x", 3, "follows"), ("{}{}", 2, "follows"), ("1 2", 2, "follows"),
            ("{}\0", 0, "zero"),
            ("{\"a\":1}\0", 7, "follows"), ("{\"a\":1}\n\u{FEFF}", 8, "follows"),
            // Twice, however it is written, also deep inside.
            (#"{"a":1,"a":2}"#, 7, "a is there twice"), (#"{"a":1,"\u0061":2}"#, 7, "twice"),
            (#"{"x":[{"aé":1,"ae\u0301":2}]}"#, 15, "twice"),
            (#"{"a":null,"a":1}"#, 10, "twice"),
            ("[1,]", 2, "comma with nothing"), ("{\"a\":1,}", 6, "comma with nothing"), ("[,1]", 1, "begins"), ("{,}", 1, "name"),
            ("[1,,2]", 3, "begins"),
            ("{'a':1}", 1, "double quotes"), ("['a']", 1, "begins"), ("{a:1}", 1, "double quotes"), ("{1:1}", 1, "double quotes"),
            ("{null:1}", 1, "double"),
            ("// x\n1", 0, "begins"), ("[1/*x*/]", 2, "comma"), ("[1]#", 3, "follows"), ("{\"a\" 1}", 5, "colon"),
            ("{\"a\":1;}", 6, "comma"), ("[1 2]", 3, "comma"),
            ("01", 0, "begins with 0"), ("-01", 0, "begins with 0"), ("00", 0, "begins with 0"), ("+1", 0, "begins"), (".5", 0, "begins"),
            ("1.", 2, "digit"),
            ("1e", 2, "digit"), ("1e+", 3, "digit"), ("-", 1, "digit"), ("0x10", 1, "follows"), ("1_000", 1, "follows"),
            ("1e400", 0, "too large"),
            ("-1e999999", 0, "too large"), ("\"\n\"", 1, "control"), ("\"\t\"", 1, "control"), ("\"\0\"", 0, "zero"),
            ("\"aaaa\0\"", 5, "control"),
            (#""\x41""#, 1, "escape"), (#""\'""#, 1, "escape"), (#""\U0041""#, 1, "escape"), (#""\u004""#, 6, "hexadecimal"),
            (#""\u+041""#, 3, "hexadecimal"),
            (#""\ud800""#, 1, "surrogates"), (#""\udc00""#, 1, "surrogates"), (#""\ud800\u0041""#, 1, "surrogates"),
            (#""\ud800x""#, 1, "surrogates"),
            (#""\udc00\ud800""#, 1, "surrogates"), (#""\"#, 1, "escape"), ("\u{A0}1", 0, "begins"), ("\u{0B}1", 0, "begins"),
            ("\u{FEFF}{}", 0, "byte order mark"),
            (String(repeating: "[", count: 65), 64, "deeply"), (String(repeating: "{\"a\":", count: 20_000), 320, "deeply"),
        ].map { (Array($0.utf8), $1, $2) } + [
            ([0xFF, 0xFE, 0x7B, 0, 0x7D, 0], 0, "byte order mark"), ([0xFE, 0xFF, 0, 0x7B, 0, 0x7D], 0, "byte order mark"),
            ([0x7B, 0, 0x7D, 0], 0, "UTF-16"),
            ([0, 0x7B, 0, 0x7D], 0, "UTF-16"), ([0x7B, 0, 0, 0, 0x7D, 0, 0, 0], 0, "UTF-16"),
            ([0, 0, 0xFE, 0xFF, 0, 0, 0, 0x31], 0, "zero"),
            ([0x22, 0xFF, 0x22], 0, "UTF-8"), ([0x22, 0xC0, 0x80, 0x22], 0, "UTF-8"), ([0x22, 0xED, 0xA0, 0x80, 0x22], 0, "UTF-8"),
            ([0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], 0, "UTF-8"), ([0x22, 0xC3, 0x22], 0, "UTF-8"),
            ([0x22, 0x5C, 0x6E, 0x80, 0x22], 0, "UTF-8"),
            ([0x7B, 0x22, 0x80, 0x22, 0x3A, 0x31, 0x7D], 1, "UTF-8"),
        ]

    @Test(arguments: wrong) func `what is not is refused, with where and what`(bytes: [UInt8], offset: Int, word: String) throws {
        let error = try #require(throws: JSONError.self) { try Document(json: bytes) }
        #expect(error.offset == offset && error.message.contains(word), "\(error)")
    }

    /// Whatever our reader takes, Foundation's takes too, and reads the same.
    @Test func `spoilt texts are read as others read them, or not at all`() throws {
        let good = Array(#"{"size":1,"tags":["p2p","a\u0062\ud83d\ude00é"],"x":{"deep":[null,true,-1.5e3,0]},"city":"New York"}"#.utf8)
        var numbers = SplitMix64(state: 7)
        var read = 0
        for _ in 0..<20_000 {
            let bytes = Mutation.of(good, using: &numbers)
            guard let value = try? Document(json: bytes) else { continue }
            read += 1
            let theirs = try JSONDecoder().decode(Document.self, from: Data(bytes))
            #expect(value == theirs, "\(String(decoding: bytes, as: UTF8.self))")
        }
        #expect(read > 100)
    }
}
