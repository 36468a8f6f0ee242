import DockerEngine
@testable import EngineGuard
import Model
import Platform
import TestSupport
import Testing

/// Good requests, spoilt by a seeded generator. Whatever reaches the engine is what the guard would make by itself; all else is refused.
@Suite(.serialized, .timeLimit(.minutes(5))) struct FuzzTests {
    private static let fields = [
        "\"Privileged\":true,", "\"privileged\":true,", "\"\\u0050rivileged\":true,", "\"Binds\":[\"/:/h\"],", "\"NetworkMode\":\"host\",",
        "\"SecurityOpt\":[\"seccomp=unconfined\"],",
        "\"HostConfig\":{\"Privileged\":true},", "\"hostconfig\":{\"PidMode\":\"host\"},", "\"Decoy\":{\"NetworkMode\":\"sallyport\"},",
        "\"User\":\"0\",", "\"Image\":\"debian\",", "\"Cmd\":[\"sh\"],",
        "\"CapAdd\":\"ALL\",", "\"Mounts\":[],", "\"Memory\":1e999,", "\"a\":01,", "\n", "\r\n", "\t", "\0", "\u{FEFF}", "/**/", ",", "'",
        "\\ud800", "{}", "[]", "null", "true", "-0", "1e308", "\"", "\\",
        "\u{212A}", "\u{131}", "\u{17F}",
    ].map { Array($0.utf8) }
    private static let lines = [
        "Content-Length: 3\r\n", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n", "Host: y\r\n", "Upgrade: tcp\r\n",
        "Connection: Upgrade\r\n", "Expect: 100-continue\r\n", " folded\r\n", "\n", "\r", "\r\n",
        "\r\n\r\n", "GET /v1.41/info HTTP/1.1\r\nHost: x\r\n\r\n", "/..", "/.", "//", "%2e", "%2F", "?", "&", "#", ";", "http://engine",
        "HTTP/1.0", "/v1.24", "&Privileged=true", "=", "+", "0\r\n\r\n", ":",
    ].map { Array($0.utf8) }

    private static func spoilt(_ request: [UInt8], _ numbers: inout SplitMix64) -> [UInt8] {
        let end = request.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound ?? request.count
        var (head, body) = (Array(request[..<end]), Array(request[end...]))
        for _ in 0..<Int.random(in: 1...2, using: &numbers) {
            switch Int.random(in: 0..<6, using: &numbers) {
            case 0 where !body.isEmpty: body = Mutation.of(body, using: &numbers)
            case 1 where !body.isEmpty:
                // Behind a mark of the JSON, where it may be taken for a field.
                let places = body.indices.filter { "{,[:".utf8.contains(body[$0]) }
                body.insert(
                    contentsOf: fields.randomElement(using: &numbers) ?? [], at: places.randomElement(using: &numbers).map { $0 + 1 } ?? 0)
            case 2 where !body.isEmpty:
                let at = Int.random(in: 0..<body.count, using: &numbers)
                let part = Array(body[at..<min(body.count, at + Int.random(in: 1...200, using: &numbers))])
                body.insert(contentsOf: part, at: Int.random(in: 0...body.count, using: &numbers))
            case 3: head = Mutation.of(head, using: &numbers)
            case 4: body = Bool.random(using: &numbers) ? body.flatMap { [$0, 0] } : [0xEF, 0xBB, 0xBF] + body
            default:
                head.insert(
                    contentsOf: lines.randomElement(using: &numbers) ?? [], at: Int.random(in: 0...max(0, head.count - 4), using: &numbers))
            }
        }
        // Mostly a length that is right, or all would fall at the first look.
        let text = String(decoding: head, as: UTF8.self)
        if Int.random(in: 0..<8, using: &numbers) > 0, let range = text.firstRange(of: "Content-Length: ") {
            let rest = text[range.upperBound...].drop { ("0"..."9").contains($0) }
            head = Array((text[..<range.upperBound] + "\(body.count)" + rest).utf8)
        }
        return head + body
    }

    /// True for a request that the guard makes: its head in every byte, its body as the template says.
    private static func isOurs(_ request: Arrived, _ subject: GuardSubject) throws -> Bool {
        let filters = "%7B%22label%22%3A%5B%22io.sallyport.owner%3Dsallyport%22%5D%7D"
        let eventFilters = "%7B%22label%22%3A%5B%22io.sallyport.owner%3Dsallyport%22%5D%2C%22type%22%3A%5B%22container%22%5D%7D"
        let lines = request.head.split(separator: "\r\n").map(String.init)
        let words = lines[0].split(separator: " ").map(String.init)
        guard words.count == 3, lines.count >= 3, lines[1] == "Host: engine", lines[2] == "Connection: close" else { return false }
        let kinds = ["application/json", "application/x-tar"]
        guard
            lines.dropFirst(3).allSatisfy({ line in
                line == "Content-Length: \(request.body.count)" || kinds.contains { line == "Content-Type: \($0)" }
            })
        else { return false }
        let parts = words[1].split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
        guard words[1] != "/_ping" else { return words[0] == "GET" && request.body.isEmpty }
        guard let version = parts.first, version.wholeMatch(of: /v1\.4[0-7]/) != nil else { return false }
        let rest = "\(words[0]) \(parts.dropFirst().joined(separator: "/"))"
        let id = GuardSubject.id, exec = GuardSubject.exec
        switch rest {
        case "GET containers/json?all=true&filters=\(filters)", "GET events?filters=\(eventFilters)", "GET networks/sallyport",
            "POST containers/\(id)/start",
            "DELETE containers/\(id)?force=true&v=true", "GET exec/\(exec)/json",
            "GET images/\(subject.image.replacing(":", with: "%3A"))/json":
            return request.body.isEmpty
        case "POST exec/\(exec)/start": return request.text == #"{"Detach":false}"#
        case "POST containers/\(id)/exec":
            return request.text == String(decoding: try EngineCoding.encode(ExecCreate(cmd: ExitCommand.tunnel.words)), as: UTF8.self)
        case "PUT containers/\(id)/archive?path=%2Fconfig":
            let content = Array(request.body.dropFirst(512).prefix { $0 != 0 })
            return request.body == ExitFile.archive(content)
        default: break
        }
        if rest.wholeMatch(of: /GET containers\/sallyport-[a-z]{2}-[0-9]+-g[0-9]+\/json/) != nil { return request.body.isEmpty }
        if rest.wholeMatch(of: /GET containers\/(c0){32}\/logs\?stdout=true&stderr=true&tail=[0-9]+(&follow=true)?/) != nil {
            return request.body.isEmpty
        }
        guard let name = rest.wholeMatch(of: /POST containers\/create\?name=(sallyport-[a-z]{2}-[0-9]+-g[0-9]+)/)?.1 else { return false }
        return try isTemplate(request.text, name: String(name), subject)
    }

    /// Only what an exit has of its own may differ from the good body.
    private static func isTemplate(_ text: String, name: String, _ subject: GuardSubject) throws -> Bool {
        guard case .object(let body) = try Document(json: text.utf8), case .object(let labels)? = body["Labels"] else { return false }
        func label(_ name: String) -> String { if case .string(let text)? = labels["io.sallyport.\(name)"] { text } else { "" } }
        var template = subject.template()
        guard let exit = ExitID(label("exit")), let generation = Int(label("generation")), let fence = Int(label("fence")),
            IPNetwork(label("server")) != nil
        else { return false }
        (template.exit, template.generation, template.fence, template.server, template.fingerprint) = (
            exit, generation, fence, label("server"), label("specification")
        )
        let ours = String(decoding: try EngineCoding.encode(template.container), as: UTF8.self)
        return template.name == name && text == ours
    }

    private static func good(_ subject: GuardSubject) throws -> [[UInt8]] {
        let container = GuardSubject.container, exec = GuardSubject.exec
        let filters = "%7B%22label%22%3A%5B%22io.sallyport.owner%3Dsallyport%22%5D%7D"
        let create = Array(try subject.good().utf8)
        return [
            GuardSubject.request("POST", GuardSubject.createTarget, create),
            GuardSubject.request("POST", GuardSubject.createTarget, create),
            GuardSubject.request("POST", GuardSubject.createTarget, create),
            GuardSubject.request("POST", "\(container)/exec", try EngineCoding.encode(ExecCreate(cmd: ExitCommand.tunnel.words))),
            GuardSubject.request("PUT", "\(container)/archive?path=%2Fconfig", ExitFile.archive(Array("MTU=1380\nPRIVATE_KEY=x\n".utf8))),
            GuardSubject.request("GET", "/v1.41/containers/json?all=true&filters=\(filters)"),
            GuardSubject.request("GET", "\(container)/json"),
            GuardSubject.request("POST", "\(container)/start"), GuardSubject.request("DELETE", "\(container)?force=true&v=true"),
            GuardSubject.request("GET", "\(container)/logs?stdout=true&stderr=true&tail=20"),
            GuardSubject.request("GET", "/v1.41/networks/sallyport"),
            GuardSubject.request("GET", "/v1.41/images/\(subject.image.replacing(":", with: "%3A"))/json"),
            GuardSubject.request("POST", "/v1.41/exec/\(exec)/start", try EngineCoding.encode(ExecStart())),
            GuardSubject.request("GET", "/v1.41/exec/\(exec)/json"),
        ]
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func `what reaches the engine is the guard's own, whatever is sent`(seed: UInt64)
        async throws
    {
        try await GuardSubject.with { subject in
            var numbers = SplitMix64(state: seed)
            let good = try Self.good(subject)
            for request in good {
                let answer = try await subject.ask(request)
                #expect((200..<300).contains(answer.status), "\(answer.text)")
            }
            var statuses: [Int: Int] = [:]
            for number in 0..<1_500 {
                let request = Self.spoilt(good[number % good.count], &numbers)
                subject.forget()
                let answer = try await subject.ask(request)
                statuses[answer.status, default: 0] += 1
                let arrived = subject.arrived
                let areOurs = try arrived.allSatisfy { try Self.isOurs($0, subject) }
                #expect(
                    areOurs, "\(String(decoding: request, as: UTF8.self)) became \(arrived)"
                )
                // A request that is cut short gets no answer, and does nothing.
                #expect([0, 100, 200, 201, 204, 400, 403, 413].contains(answer.status), "\(answer.text)")
                #expect(answer.status != 0 || arrived.isEmpty)
            }
            #expect(statuses[403, default: 0] > 100 && statuses[400, default: 0] > 100, "\(statuses)")
        }
    }
}
