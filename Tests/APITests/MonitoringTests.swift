@testable import API
import Glibc
import HTTPServing
import HTTPTransport
import Model
import Platform
@testable import RequestPipeline
import TestSupport
import Testing
@testable import TimeSeries

/// The metrics as Prometheus takes them, and that page, rules and metrics name the same ones.
@Suite(.timeLimit(.minutes(2))) struct MonitoringTests {
    private static let hasPrometheus = Files.exists("/usr/bin/promtool") && Files.exists("/usr/bin/prometheus")
    private static let advice: Comment = "promtool isn't installed: apt-get install prometheus"
    private static let folder = "\(Repository.root)/containers/monitoring"

    /// The names in a text that are, or stand for, metrics.
    private func names(in text: String) -> Set<String> {
        let words = text.split { !$0.isASCII || !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init)
        let prefixes = ["sallyport_", "process_"]
        let endings = ["_bucket", "_sum", "_count"]
        return Set(
            words.filter { word in prefixes.contains { word.hasPrefix($0) } }.map { word in
                endings.first { word.hasSuffix($0) }.map { String(word.dropLast($0.count)) } ?? word
            })
    }

    private func exposed() async throws -> String {
        let subject = try Subject(.direct)
        return try await subject.call("GET", "/metrics").text
    }

    @Test func `the page of the metrics has each of them, and no other`() async throws {
        let real = Set(
            try await exposed().split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }.map { String($0.split(separator: " ")[2]) })
        let page = try Files.read("\(Repository.root)/docs/metrics.md")
        let rows = page.split(separator: "\n").filter { $0.hasPrefix("| `sallyport_") || $0.hasPrefix("| `process_") }
        let told = Set(rows.map { String($0.split(separator: "`")[1]) })
        #expect(real.subtracting(told).sorted() == [], "docs/metrics.md has no row of these")
        #expect(told.subtracting(real).sorted() == [], "docs/metrics.md has rows of these, which are not there")
        for figure in Figure.allCases {
            #expect(page.contains("| `\(figure.rawValue)` |"), "docs/metrics.md has no row of \(figure.rawValue)")
        }
    }

    @Test func `the alert rules and their tests ask for nothing that is not there`() async throws {
        let real = names(in: try await exposed())
        for file in ["rules.yaml", "rules-test.yaml"] {
            #expect(names(in: try Files.read("\(Self.folder)/\(file)")).subtracting(real).sorted() == [], "\(file)")
        }
    }

    @Test(
        .enabled(if: hasPrometheus, advice),
        arguments: [
            ["check", "rules", "rules.yaml"], ["test", "rules", "rules-test.yaml"],
            ["check", "config", "--syntax-only", "prometheus.yaml"],
        ])
    func `Prometheus's own checker takes the rules, what they do, and the example`(words: [String]) async throws {
        let command = "cd '\(Self.folder)' && promtool \(words.joined(separator: " ")) 2>&1"
        let result = try await Programs.run("sh", ["-c", command], deadline: 60)
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: hasPrometheus, advice))
    func `Prometheus scrapes with a viewer's key, by the example, and its rules see a pool without exits`() async throws {
        try await Subject.with(.live) { subject in
            subject.operations.with { $0.shown.exits = [:] }
            let port = try #require(subject.port)
            let folder = try TemporaryFolder()
            let own = try Ports.free()
            let example = try Files.read("\(Self.folder)/prometheus.yaml")
                .replacing("127.0.0.1:8080", with: "127.0.0.1:\(port)").replacing("interval: 15s", with: "interval: 1s")
            try Files.write(example, to: "\(folder.path)/prometheus.yaml", mode: 0o600)
            try Files.write(Subject.keys[.viewer] ?? "", to: "\(folder.path)/sallyport.key", mode: 0o600)
            try Files.write(try Files.read("\(Self.folder)/rules.yaml"), to: "\(folder.path)/rules.yaml", mode: 0o600)
            let pid = try Programs.startDetached(
                "/usr/bin/prometheus",
                [
                    "--config.file=\(folder.path)/prometheus.yaml", "--storage.tsdb.path=\(folder.path)/data",
                    "--web.listen-address=127.0.0.1:\(own)",
                ], log: "\(folder.path)/log")
            let client = HTTPClient()
            defer { client.close() }
            var seen = ""
            try? await eventually("the alert waits", within: 60) {
                seen = (try? await client.send(HTTPRequest("GET", "http://127.0.0.1:\(own)/api/v1/alerts")))?.text ?? ""
                return seen.contains("SallyportPoolUnserved")
            }
            kill(pid, SIGTERM)
            var status: Int32 = 0
            try await eventually("Prometheus ends", within: 30) { waitpid(pid, &status, WNOHANG) != 0 }
            #expect(seen.contains("SallyportPoolUnserved"), "\(seen) \((try? Files.read("\(folder.path)/log"))?.suffix(2000) ?? "")")
        }
    }
}

/// Who uses the proxies is for administrators.
@Suite(.timeLimit(.minutes(1))) struct MetricNameTests {
    @Test(arguments: [false, true]) func `names of proxy users are shown to admins alone, unless it is set`(isSet: Bool) async throws {
        let name = "named\(isSet)"
        Metrics.userBytes.add(7, name, "US", "in")
        Metrics.userConnections.add(2, name, "US")
        var settings = RequestSettings()
        settings.showsUserNames = isSet
        try await Subject.with(.live, settings: settings) { subject in
            for role in Role.allCases + Role.allCases {
                let text = try await subject.call("GET", "/metrics", as: role).text
                #expect(text.contains("user=\"\(name)\"") == (isSet || role == .admin), "\(role)")
                #expect(text.contains("sallyport_proxy_bytes_total{") && text.contains("sallyport_proxy_connections_total{"))
                if !isSet, role != .admin { #expect(!text.contains("user=") && !text.contains(name)) }
            }
        }
    }

    @Test func `without a label the values that differ in it are one sum`() {
        let counts = Metric(.counter, "c", "C.", labels: ["user", "country"])
        for (user, country, amount) in [("a", "US", 1.0), ("b", "US", 2), ("b", "DE", 4)] { counts.add(amount, user, country) }
        var text = ""
        counts.write(into: &text, without: ["user"])
        #expect(text == "# HELP c C.\n# TYPE c counter\nc{country=\"DE\"} 4\nc{country=\"US\"} 3\n")
        let times = Metric(.histogram([1, 2]), "h", "H.", labels: ["user"])
        for (user, time) in [("a", 0.5), ("b", 1.5), ("b", 3)] { times.observe(time, user) }
        text = ""
        times.write(into: &text, without: ["user"])
        #expect(text.contains("h_bucket{le=\"1\"} 1\nh_bucket{le=\"2\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_sum 5\nh_count 3\n"))
    }
}
