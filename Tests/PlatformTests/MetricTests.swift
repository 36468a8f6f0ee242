import Platform
import Testing

@Suite struct MetricTests {
    private func text(_ metric: Metric) -> String {
        var text = ""
        metric.write(into: &text)
        return text
    }

    @Test func `more combinations of labels than the limit are counted under other, and none is lost`() {
        let metric = Metric(.counter, "a_total", "A.", labels: ["user", "country"], limit: 2, folding: ["user"])
        metric.add(1, "alice", "US")
        metric.add(2, "bob", "US")
        metric.add(4, "carol", "US")
        metric.add(8, "dave", "DE")
        metric.add(16, "eve", "US")
        metric.add(32, "alice", "US")
        let wanted: [[String]: Double] = [["alice", "US"]: 33, ["bob", "US"]: 2, ["other", "US"]: 20, ["other", "DE"]: 8]
        #expect(metric.values == wanted && metric.total == 63)
    }

    @Test func `a histogram has the same limit`() {
        let metric = Metric(.histogram([1, 2]), "a_seconds", "A.", labels: ["route"], limit: 1)
        for route in ["/a", "/b", "/c"] { metric.observe(1.5, route) }
        #expect(text(metric).contains("a_seconds_count{route=\"/a\"} 1\n") && text(metric).contains("a_seconds_count{route=\"other\"} 2\n"))
        #expect(metric.total == 3 && metric.sum == 4.5)
    }

    @Test func `what is forgotten makes room, and stays in the total`() {
        let metric = Metric(.counter, "a_total", "A.", labels: ["user"], limit: 1)
        metric.add(3, "alice")
        metric.keep { $0 != ["alice"] }
        metric.add(4, "bob")
        #expect(metric.values == [["bob"]: 4] && metric.total == 7)
    }

    @Test func `the process has used a processor, memory and files`() throws {
        let figures = try #require(ProcessFigures.now())
        #expect(figures.cpuSeconds > 0 && figures.residentBytes > 1_000_000 && figures.virtualBytes >= figures.residentBytes)
        #expect(figures.threads >= 1 && figures.openFiles >= 3)
    }
}
