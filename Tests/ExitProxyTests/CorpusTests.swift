import FoundationEssentials
import TestSupport
import Testing

/// What the fuzzer has found so far (`Tests/Fuzzing/run`), given to the same parsers.
@Suite struct CorpusTests {
    @Test func `no input of the fuzzer's corpus stops a parser or breaks one of its rules`() throws {
        let corpus = try String(contentsOfFile: "\(Repository.root)/Tests/Fuzzing/corpus.txt", encoding: .utf8)
        var count = 0
        for line in corpus.split(separator: "\n") {
            let input = try #require(Data(base64Encoded: String(line)))
            let rule = ParserTrial.brokenRule(Array(input))
            #expect(rule == nil, "\(line)")
            count += 1
        }
        #expect(count > 100 && corpus.utf8.count < 200_000)
    }
}
