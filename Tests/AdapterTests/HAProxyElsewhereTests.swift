import Glibc
@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
import TestSupport
import Testing

/// An HAProxy that somebody else starts, in a container of its own: its processes have other numbers there than here.
@Suite(.timeLimit(.minutes(2)), .enabled(if: getuid() == 0, "making a PID namespace needs root")) struct HAProxyElsewhereTests {
    typealias Subject = GatewaySubject

    @Test func `what it carries is counted and cut over a reload, without a look at its processes`() async throws {
        try await Subject.with({ $0.isStartedByUs = false }) { subject in
            let body = String(repeating: "x", count: 50_000)
            let exit = try ScriptedServer { connection in
                while let head = connection.head() {
                    if head.hasPrefix("CONNECT ") { connection.write("HTTP/1.1 200 Established\r\n\r\n") }
                    if head.hasPrefix("GET ") { connection.answer(200, body) }
                }
            }
            let alice = Subject.user("alice")
            var layout = GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, exit)])], users: [alice])
            let publishing = Task { [layout] in try await subject.gateway.publish(layout) }
            try await eventually("the file is there", within: 60) { !subject.file.isEmpty }
            let namespace = try Programs.startDetached(
                "unshare",
                [
                    "--pid", "--fork", "--kill-child", "--mount-proc", "haproxy", "-W", "-f", "\(subject.folder.path)/haproxy.cfg", "-S",
                    "\(subject.folder.path)/master.sock,mode,600",
                ], log: "\(subject.folder.path)/log")
            defer {
                kill(namespace, SIGKILL)
                waitpid(namespace, nil, 0)
            }
            try await publishing.value
            #expect(try await subject.masterPid == 1, "it has numbers of its own")

            var counted: [String: Usage] = [:]
            /// The sums over all counters of the last reading of each: what the store adds up.
            func carried(_ subject: Subject) async throws -> (user: Int, exit: Int) {
                let reading = try #require(try await subject.gateway.usage()).reading
                for (name, entry) in reading.counters { counted[name] = entry.usage }
                func sum(_ kind: String) -> Int { counted.filter { $0.key.contains(" \(kind) ") }.values.reduce(0) { $0 + $1.bytesOut } }
                return (sum("user"), sum("exit"))
            }
            func spend(_ requests: Int) async throws {
                for _ in 0..<requests { #expect(try await subject.send().text == body) }
            }
            try await spend(3)
            try await eventually("it is counted", within: 30) { try await carried(subject).user >= 150_000 }
            // A tunnel that the reload leaves in the old worker.
            let kept = try Raw(port: subject.settings.gatewayPort)
            let name = Base64.encode(Array("alice-country-us:\(Subject.password)".utf8))
            kept.send("CONNECT target.test:80 HTTP/1.1\r\nHost: target.test:80\r\nProxy-Authorization: Basic \(name)\r\n\r\n")
            #expect(String(decoding: kept.receive(milliseconds: 20_000) ?? [], as: UTF8.self).hasPrefix("HTTP/1.1 200"))
            let worker = try await subject.workerPid
            layout.pools.append(Subject.pool(de))
            try await subject.gateway.publish(layout)
            #expect(try await subject.workerPid != worker)
            try await spend(3)
            kept.send("GET / HTTP/1.1\r\nHost: target.test\r\n\r\n")
            try await eventually("both workers' are counted, once", within: 30) { try await carried(subject).user >= 350_000 }
            let sums = try await carried(subject)
            #expect(sums.user < 360_000 && sums.exit >= 350_000 && sums.exit < 360_000, "\(sums)")
            #expect(try await subject.gateway.openByUser().keys.sorted() == ["alice"])
            #expect(try await subject.gateway.cut(["alice"]) >= 1)
            try await eventually("it is cut", within: 30) { try await subject.gateway.openByUser().isEmpty }
        }
    }
}
