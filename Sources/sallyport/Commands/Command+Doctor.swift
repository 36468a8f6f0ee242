import Glibc
import HTTPTransport
import Model
import Platform

/// The command that looks at the machine, the configuration and all parts, whether a controller runs or not.
extension Command {
    static let doctor = Command(
        name: "doctor", summary: "Look at all that Sallyport needs here, and say what to do; the exit status is 1 if something is at fault",
        options: [configurationOption, jsonOption],
        examples: [
            "sallyport doctor", "sudo -u sallyport sallyport doctor", "sallyport doctor --json | jq -r '.checks[] | select(.remedy)'",
        ]
    ) { arguments in
        _ = try arguments.expect()
        let (file, reading) = try DoctorReading.read(arguments["config"] ?? Configuration.usualFile())
        let client = HTTPClient()
        defer { client.close() }
        var checks = [Check(name: "configuration") { reading.judgement(file) }]
        if let configuration = reading.configuration { checks += Doctor(configuration, client: client).checks }
        var progress = Progress()
        let findings = await Checkup.run(checks) { done, waiting in
            guard progress.isTerminal, let next = waiting.first else { return }
            progress.show("\(Text.bar(done, of: checks.count)) \(done) of \(checks.count), waits for \(next)")
        }
        progress.end()
        print(arguments.has("json") ? DoctorReport(file, findings).document.json : DoctorReport(file, findings).text(.output))
        return findings.contains { $0.judgement.verdict == .fault } ? Status.failure : Status.success
    }
}

/// The configuration, as far as it can be read.
struct DoctorReading: Sendable {
    var configuration: Configuration?
    var problems: [String]

    /// - Returns: the file that was read, and what is in it.
    static func read(_ file: String?) throws -> (file: String?, reading: DoctorReading) {
        var problems: [String] = []
        var environment = ProcessEnvironment.values()
        do { environment = try DotEnv.complete(environment) } catch let error as ConfigurationError { problems += error.problems }
        var content = Document.object([:])
        do { content = try file.map { try Configuration.document(of: $0) } ?? content } catch let error as ConfigurationError {
            problems += error.problems
        }
        let examined = Configuration.examine(content, file, environment)
        // What a file lacks that can't be read says nothing.
        return (file, DoctorReading(configuration: examined.configuration, problems: problems.isEmpty ? examined.problems : problems))
    }

    func judgement(_ file: String?) -> Judgement {
        guard problems.isEmpty else {
            return .fault(
                problems.joined(separator: "; "),
                file.map { "mend \($0) (docs/configuration.md); what follows is for the settings that could be read" }
                    ?? "write sallyport.yaml, or name a file with --config; what follows is for the standard settings")
        }
        return .pass("read from \(file ?? "variables alone")")
    }
}

/// What the doctor says in the end.
struct DoctorReport: Sendable {
    private let file: String?
    private let findings: [Finding]

    init(_ file: String?, _ findings: [Finding]) { (self.file, self.findings) = (file, findings) }

    private func count(_ verdict: Judgement.Verdict) -> Int { findings.count { $0.judgement.verdict == verdict } }
    private var worst: Judgement.Verdict { findings.map(\.judgement.verdict).max() ?? .pass }

    /// A line for each check, and below it what to do.
    func text(_ screen: Screen) -> String {
        let width = findings.map(\.name.count).max() ?? 0
        let lines = findings.flatMap { finding -> [String] in
            let verdict = finding.judgement.verdict
            let padding = String(repeating: " ", count: "warning".count - verdict.rawValue.count + 2)
            let name = finding.name + String(repeating: " ", count: width - finding.name.count + 2)
            let line = screen.painted(verdict.rawValue, Self.colour(verdict)) + padding + name + finding.judgement.message
            return [line] + (finding.judgement.remedy.map { [String(repeating: " ", count: 9) + "-> \($0)"] } ?? [])
        }
        let sum = "\(findings.count) checks: \(count(.pass)) pass, \(count(.warning)) warnings, \(count(.fault)) faults"
        return (lines + [sum]).joined(separator: "\n")
    }

    private static func colour(_ verdict: Judgement.Verdict) -> Colour {
        switch verdict {
        case .pass: .green
        case .warning: .yellow
        case .fault: .red
        }
    }

    var document: Document {
        func text(_ text: String?) -> Document { text.map(Document.string) ?? .null }
        let checks = findings.map { finding in
            Document.object([
                "name": .string(finding.name), "verdict": .string(finding.judgement.verdict.rawValue),
                "message": .string(finding.judgement.message), "remedy": text(finding.judgement.remedy),
            ])
        }
        return .object(["verdict": .string(worst.rawValue), "configuration": text(file), "checks": .array(checks)])
    }
}
