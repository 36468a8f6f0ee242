import Glibc
@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct HAProxyFaultTests {
    typealias Subject = GatewaySubject
    private let alice = GatewaySubject.user("alice")

    @Test func `killed with kill -9, it is the same again after the next publishing`() async throws {
        try await Subject.with { subject in
            let exit = try Subject.exit("american")
            let layout = GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, exit), Subject.slot(2, exit, .drain)])], users: [alice])
            try await subject.gateway.publish(layout)
            let (worker, master) = (try await subject.workerPid, try await subject.masterPid)
            let file = subject.file
            kill(pid_t(master), SIGKILL)
            kill(pid_t(worker), SIGKILL)
            try await eventually("it is gone") { await !subject.gateway.isRunning() }
            let error = try await #require(throws: HAProxyError.self) { try await subject.gateway.observe() }
            #expect(error.code == .unavailable)
            try await subject.gateway.publish(layout)
            #expect(subject.file == file)
            #expect(try await subject.fileEqualsRuntime(layout))
            #expect(try await subject.send().text == "american")
        }
    }

    @Test func `a new controller finds it running and starts no second one`() async throws {
        try await Subject.with { subject in
            let layout = GatewayLayout(pools: [Subject.pool(us)], users: [alice])
            try await subject.gateway.publish(layout)
            let (worker, master) = (try await subject.workerPid, try await subject.masterPid)
            let other = try HAProxyGateway(
                share: "\(Repository.root)/haproxy", settings: subject.settings, log: .none, ownAddresses: subject.ownAddresses)
            try await other.publish(layout)
            #expect(try await subject.workerPid == worker)
            #expect(try await subject.masterPid == master)
        }
    }

    @Test func `it takes bytes in batches, before a reload and after it`() async throws {
        try await Subject.with { subject in
            // SCHED_BATCH, which Glibc doesn't show to Swift.
            let batch: Int32 = 3
            try await subject.gateway.publish(GatewayLayout(pools: [Subject.pool(us)], users: [alice]))
            let first = try await subject.workerPid
            #expect(sched_getscheduler(pid_t(first)) == batch)
            #expect(sched_getscheduler(pid_t(try await subject.masterPid)) == batch)
            try await subject.gateway.publish(GatewayLayout(pools: [Subject.pool(us), Subject.pool(de)], users: [alice]))
            let second = try await subject.workerPid
            #expect(second != first && sched_getscheduler(pid_t(second)) == batch)
        }
    }

    @Test func `a slot that somebody changed behind our back is put right`() async throws {
        try await Subject.with { subject in
            let exit = try Subject.exit("american")
            let layout = GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, exit)])], users: [alice])
            try await subject.gateway.publish(layout)
            let socket = RuntimeSocket(path: subject.settings.statsSocket)
            _ = try await socket.send("set server pool-us/s1 state maint")
            _ = try await socket.send("set server pool-us/s7 addr 127.0.0.1 port 9")
            _ = try await socket.send("set server pool-us/s7 state ready")
            _ = try await socket.send("del map \(subject.usersMap) alice")
            #expect(layout.differs(from: try await subject.gateway.observe()))
            try await subject.gateway.publish(layout)
            #expect(try await subject.fileEqualsRuntime(layout))
            #expect(await subject.gateway.repairs == 1)
            for path in ["haproxy.cfg", "policies.map"] {
                try Files.write("changed by hand\n", to: "\(subject.folder.path)/\(path)", mode: 0o600)
                #expect(layout.differs(from: try await subject.gateway.observe()), "\(path)")
                try await subject.gateway.publish(layout)
                #expect(try await subject.fileEqualsRuntime(layout), "\(path)")
            }
            #expect(await subject.gateway.repairs == 3)
            #expect(try await subject.send().text == "american")
        }
    }

    @Test func `a configuration with a mistake changes nothing, and the next good one is taken`() async throws {
        try await Subject.with { subject in
            var layout = GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, try Subject.exit("american"))])], users: [alice])
            try await subject.gateway.publish(layout)
            let (pid, file) = (try await subject.workerPid, subject.file)
            let share = "\(subject.folder.path)/share"
            try Files.makePrivateFolder(share)
            let template = try Files.read("\(Repository.root)/haproxy/haproxy.cfg.template")
            try Files.write(template + "\nbackend broken from common\n    nosuchthing\n", to: "\(share)/haproxy.cfg.template", mode: 0o600)
            let broken = try HAProxyGateway(share: share, settings: subject.settings, log: .none, ownAddresses: subject.ownAddresses)
            let error = try await #require(throws: HAProxyError.self) { try await broken.publish(layout) }
            #expect(error.code == .badConfiguration && error.message.contains("unknown keyword 'nosuchthing'"))
            #expect(try await subject.workerPid == pid)
            #expect(subject.file == file)
            #expect(try await subject.send().text == "american")
            layout.pools.append(Subject.pool(de))
            try await subject.gateway.publish(layout)
            #expect(try await subject.send().text == "american")
        }
    }

    @Test func `a configuration that only fails when it is used is taken back, and the next good one is taken`() async throws {
        try await Subject.with { subject in
            var layout = GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, try Subject.exit("american"))])], users: [alice])
            try await subject.gateway.publish(layout)
            let (pid, file) = (try await subject.workerPid, subject.file)
            let holder = try ScriptedServer { $0.hang() }
            let share = "\(subject.folder.path)/share"
            try Files.makePrivateFolder(share)
            let template = try Files.read("\(Repository.root)/haproxy/haproxy.cfg.template")
            let more = "\nfrontend more from common\n    bind unix@\(subject.folder.path)/none/x.sock\n    bind 127.0.0.1:\(holder.port)\n"
            try Files.write(template + more, to: "\(share)/haproxy.cfg.template", mode: 0o600)
            let blocked = try HAProxyGateway(share: share, settings: subject.settings, log: .none, ownAddresses: subject.ownAddresses)
            let error = try await #require(throws: HAProxyError.self) { try await blocked.publish(layout) }
            #expect(error.code == .disagrees)
            #expect(try await subject.workerPid == pid)
            #expect(subject.file == file)
            #expect(try await subject.send().text == "american")
            layout.pools.append(Subject.pool(de))
            try await subject.gateway.publish(layout)
            #expect(try await subject.fileEqualsRuntime(layout))
            #expect(try await subject.send().text == "american")
        }
    }

    @Test func `a start that fails says why and leaves no process`() async throws {
        try await Subject.with { subject in
            let holder = try ScriptedServer { $0.hang() }
            var settings = subject.settings
            settings.gatewayPort = holder.port
            let blocked = try HAProxyGateway(
                share: "\(Repository.root)/haproxy", settings: settings, log: .none, ownAddresses: subject.ownAddresses)
            let error = try await #require(throws: HAProxyError.self) {
                try await blocked.publish(GatewayLayout(pools: [Subject.pool(us)]))
            }
            #expect(error.code == .refused && error.message.contains("\(holder.port)"))
            #expect(await blocked.isRunning() == false)
        }
    }

    @Test func `two publishings at once start one process, and the later one is what runs`() async throws {
        try await Subject.with { subject in
            let exits = try (1...4).map { try Subject.exit("\($0)") }
            let layouts = exits.indices.map { index in
                GatewayLayout(
                    pools: [Subject.pool(us, [Subject.slot(index + 1, exits[index])])] + (index == 2 ? [Subject.pool(de)] : []),
                    users: [alice, Subject.user("user\(index)")])
            }
            for _ in 0..<3 {
                let results = await withTaskGroup(of: Bool.self) { group in
                    for layout in layouts { group.addTask { (try? await subject.gateway.publish(layout)) != nil } }
                    return await group.reduce(into: []) { $0.append($1) }
                }
                #expect(results == [true, true, true, true])
                var matching = 0
                for layout in layouts where try await subject.fileEqualsRuntime(layout) { matching += 1 }
                #expect(matching == 1)
            }
            let processes = try await Programs.run("pgrep", ["-f", "-c", "haproxy.*\(subject.folder.path)/haproxy.cfg"])
            let old = RuntimeAnswers.processes(try await RuntimeSocket(path: "\(subject.folder.path)/master.sock").send("show proc"))
                .oldWorkers
            #expect(Int(processes.output.filter(\.isNumber)) == 2 + old.count)
        }
    }

    @Test func `stopping leaves no process, and twice is no error`() async throws {
        try await Subject.with { subject in
            try await subject.gateway.stop()
            try await subject.gateway.publish(GatewayLayout(pools: [Subject.pool(us)]))
            let (worker, master) = (try await subject.workerPid, try await subject.masterPid)
            try await subject.gateway.stop()
            try await eventually("both are gone") { !Files.exists("/proc/\(worker)") && !Files.exists("/proc/\(master)") }
            #expect(await subject.gateway.isRunning() == false)
            try await subject.gateway.stop()
        }
    }

    @Test func `stopping in the middle of a reload, when its master is deaf, leaves no process either`() async throws {
        try await Subject.with { subject in
            for round in 1...10 {
                try await subject.gateway.publish(GatewayLayout(pools: [Subject.pool(us)]))
                _ = try await RuntimeSocket(path: "\(subject.folder.path)/master.sock").send("reload")
                try await subject.gateway.stop()
                try await eventually("nothing is left of round \(round)", within: 20) {
                    try await Programs.run("pgrep", ["-f", "haproxy.*\(subject.folder.path)/haproxy.cfg"]).status == 1
                }
            }
        }
    }

    @Test func `a command with a line break, or one that is refused, is an error that shows no secret`() async throws {
        try await Subject.with { subject in
            try await subject.gateway.publish(GatewayLayout(pools: [Subject.pool(us)]))
            let socket = RuntimeSocket(path: subject.settings.statsSocket)
            let error = try await #require(throws: HAProxyError.self) { try await socket.send("show info\nshow map") }
            #expect(error.code == .refused)
            var user = alice
            user.passwords[0].digest = "has a blank and\nbreak"
            let bad = GatewayLayout(pools: [Subject.pool(us)], users: [user])
            let refused = try await #require(throws: HAProxyError.self) { try await subject.gateway.publish(bad) }
            #expect(!"\(refused)".contains("has a blank"))
        }
    }
}
