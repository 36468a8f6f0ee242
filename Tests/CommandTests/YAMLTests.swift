import Model
@testable import sallyport
import Testing

@Suite struct YAMLTests {
    @Test(
        arguments: [
            ("no", .string("no")), ("NO", .string("NO")), ("yes", .string("yes")), ("on", .string("on")), ("y", .string("y")),
            ("true", .bool(true)), ("False", .bool(false)), ("tRue", .string("tRue")), ("~", .null), ("null", .null), ("", .null),
            ("12", .integer(12)), ("-3", .integer(-3)), ("1.5", .number(1.5)), ("1e3", .number(1000)), (".5", .number(0.5)),
            ("1.2.3.4", .string("1.2.3.4")), ("12:30", .string("12:30")), ("99999999999999999999", .number(1e20)), ("inf", .string("inf")),
            ("nan", .string("nan")), ("-", .string("-")), ("'12'", .string("12")), ("\"true\"", .string("true")), ("''", .string("")),
            ("a # comment", .string("a")), ("a#b", .string("a#b")), ("http://h:1/x?y#z", .string("http://h:1/x?y#z")),
            ("[us, no, 1]", .array([.string("us"), .string("no"), .integer(1)])), ("{a: 1}", .object(["a": .integer(1)])),
            ("\"a\\nb\"", .string("a\nb")), ("|\n    two\n    lines", .string("two\nlines\n")), ("é", .string("é")),
        ] as [(String, Document)])
    func `a scalar is what the core schema says, and Norway a country`(text: String, value: Document) throws {
        guard text != "-" else { return #expect(YAML.scalar(text) == value) }
        #expect(try YAML.parse("key: \(text)\n") == .object(["key": value]))
    }

    @Test func `a document of sections and lists is read`() throws {
        let text = """
            # comment
            api:
              port: 8080
            urls:
              - https://a.test
              - "b"
            empty:
            """
        #expect(
            try YAML.parse(text)
                == .object([
                    "api": .object(["port": .integer(8080)]), "urls": .array([.string("https://a.test"), .string("b")]), "empty": .null,
                ]))
        #expect(try YAML.parse("") == .null && YAML.parse("# nothing\n") == .null && YAML.parse("---\n...\n") == .null)
    }

    @Test(
        arguments: [
            ("a: 1\na: 2", "line 2: a is given twice"), ("a:\n  b: 1\n  b: 2", "line 3: b is given twice"),
            ("a: &x 1", "line 1: anchors and tags are not read here"), ("a: &x [1]", "line 1: anchors and tags are not read here"),
            ("a: &x {b: 1}", "line 1: anchors and tags are not read here"), ("a: &x\n  b: 1", "line 1: anchors and tags are not read here"),
            ("a: !!str 1", "line 1: anchors and tags are not read here"), ("a: !!seq [1]", "line 1: anchors and tags are not read here"),
            ("a: !x {b: 1}", "line 1: anchors and tags are not read here"), ("a: *x", "line 1: aliases are not read here"),
            ("a: 1\n---\nb: 2", "line 2: more than one document"), ("[a]: 1", "line 1: a key that is not a word"),
            ("a: [1", "line 2:"), ("a: 'x", "line 1:"), ("a: b: c", "line 1:"), ("\ta: 1", "line 1:"), ("a: 1\n b: 2", "line 2:"),
            ("a: \u{1}", ""),
        ])
    func `what we don't read is refused with its line`(text: String, message: String) throws {
        let error = try #require(throws: YAMLError.self) { try YAML.parse(text) }
        #expect(error.message.hasPrefix(message), "\(error.message)")
    }

    @Test func `a document may be nested, but not without end`() throws {
        let nested = { (depth: Int) in String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
        #expect(throws: Never.self) { try YAML.parse(nested(30)) }
        let error = try #require(throws: YAMLError.self) { try YAML.parse(nested(40)) }
        #expect(error.message == "line 1: nested too deeply")
        #expect(throws: YAMLError.self) { try YAML.parse(nested(100_000)) }
    }
}
