import Testing

@testable import Planning

@Suite struct TextTemplateTests {
    @Test(arguments: [
        ("a {{x}} b", "a 1 b\n"), ("{{x}}{{x}}", "11\n"), ("{{unknown}} {{x}}", "{{unknown}} 1\n"), ("{{x", "{{x\n"), ("}}{{x}}", "}}1\n"),
        ("", "\n"), ("    {{many}}", "    one\n    two\n"), ("{{many}} and", "{{many}} and\n"), ("  {{none}}", ""), ("  {{x}}", "  1\n"),
        ("a\n  {{many}}\nb", "a\n  one\n  two\nb\n"),
    ])
    func `placeholders are filled, and those that fill a line become as many lines as they have`(text: String, filled: String) {
        let template = TextTemplate(text, lines: ["many", "none"])
        #expect(template.filled(["x": "1"], lines: ["many": ["one", "", "two"]]) == filled)
    }
}
