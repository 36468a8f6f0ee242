import Glibc
@testable import HAProxyControl
import HTTPTransport
import Model
import Planning
import Platform
import TestSupport
import Testing

/// Where a real HAProxy listens, and where it does not.
@Suite(.timeLimit(.minutes(2))) struct HAProxyPortTests {
    typealias Subject = GatewaySubject
    private let alice = GatewaySubject.user("alice")

    /// Addresses of TCP sockets that listen on a port, as the kernel has them: "0100007F" is 127.0.0.1.
    private func listeners(_ port: Int) throws -> Set<String> {
        let wanted = String(port, radix: 16, uppercase: true)
        let text = try Files.read("/proc/net/tcp", limit: 16 << 20) + (try Files.read("/proc/net/tcp6", limit: 16 << 20))
        return Set(
            text.split(separator: "\n").compactMap { line in
                let words = line.split(separator: " ")
                guard words.count > 3, words[3] == "0A" else { return nil }
                let address = words[1].split(separator: ":")
                return address.last.flatMap {
                    String($0) == String(repeating: "0", count: 4 - wanted.count) + wanted ? String(address[0]) : nil
                }
            })
    }

    /// The first of 678 ports, which no other test is given.
    private func countryPorts() throws -> Int {
        for _ in 0..<100 {
            let base = Int.random(in: 11_000..<19_000)
            let wanted = [us, de].map(\.portOffset) + [HAProxyConfiguration.generalOffset, HAProxyConfiguration.anyOffset]
            if wanted.allSatisfy({ (try? Ports.check("127.0.0.1", base + $0)) != nil }) { return base }
        }
        throw TimeoutError(what: "free ports")
    }

    @Test func `without users nobody beyond this machine can even connect, whatever the settings say`() async throws {
        let change: (inout HAProxyConfiguration.Settings) throws -> Void = { settings in
            settings.gatewayAddress = "0.0.0.0"
            settings.countryPorts = try countryPorts()
            settings.trustedPorts = try countryPorts()
        }
        try await Subject.with(change) { subject in
            let settings = subject.settings
            let ports = [settings.gatewayPort] + [settings.countryPorts, settings.trustedPorts].map { ($0 ?? 0) + us.portOffset }
            var layout = GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, try Subject.exit("american"))])])
            try await subject.gateway.publish(layout)
            for port in ports { #expect(try listeners(port) == ["0100007F"], "without users: \(port)") }
            layout.users = [alice]
            try await subject.gateway.publish(layout)
            for port in ports { try await eventually("open: \(port)", within: 60) { try listeners(port) == ["00000000"] } }
            #expect(try await subject.send().text == "american")
            layout.users = []
            try await subject.gateway.publish(layout)
            for port in ports { try await eventually("closed again: \(port)", within: 60) { try listeners(port) == ["0100007F"] } }
            #expect(try await subject.send().status == 407)
        }
    }

    @Test func `a country's port that somebody else has stays closed, all else works, and it opens once it is free`() async throws {
        let base = try countryPorts()
        try await Subject.with({ $0.countryPorts = base }) { subject in
            // Another HAProxy is the worst: the system lets two of them share a port.
            let other = try HAProxyGateway(
                share: "\(Repository.root)/haproxy",
                settings: .init(
                    gatewayAddress: "127.0.0.1", gatewayPort: base + us.portOffset, runDirectory: "\(subject.folder.path)/o",
                    luaFolder: subject.settings.luaFolder, clientLimit: 100),
                log: .none, ownAddresses: subject.ownAddresses)
            try await other.publish(GatewayLayout(users: [alice]))
            let exit = try Subject.exit("american")
            let result = await Result {
                var layout = GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, exit)])], users: [alice])
                try await subject.gateway.publish(layout)
                #expect(try await subject.send().text == "american")
                #expect(!subject.file.contains(":\(base + us.portOffset) "))
                try await subject.gateway.refreshPorts()
                #expect(!subject.file.contains(":\(base + us.portOffset) "), "it is still held")
                layout.pools.append(Subject.pool(de, [Subject.slot(1, try Subject.exit("german"))]))
                try await subject.gateway.publish(layout)
                #expect(subject.file.contains(":\(base + de.portOffset) name country-de"), "another country's opens meanwhile")
            }
            try await other.stop()
            try result.get()
            try await eventually("it opens", within: 60) {
                try await subject.gateway.refreshPorts()
                return subject.file.contains(":\(base + us.portOffset) name country-us")
            }
            var request = subject.request("alice")
            request.proxy = "http://127.0.0.1:\(base + us.portOffset)"
            #expect(try await subject.client.send(request).text == "american")
            // What is ours is not taken for somebody else's at the next change, nor by another controller.
            let heir = try HAProxyGateway(
                share: "\(Repository.root)/haproxy", settings: subject.settings, log: .none, ownAddresses: subject.ownAddresses)
            try await heir.publish(GatewayLayout(pools: [Subject.pool(us, [Subject.slot(1, exit)])], users: [alice]))
            #expect(subject.file.contains(":\(base + us.portOffset) name country-us"))
        }
    }

    @Test func `a gateway port that another HAProxy has is named, and not shared`() async throws {
        try await Subject.with { subject in
            try await subject.gateway.publish(GatewayLayout(pools: [Subject.pool(us)], users: [alice]))
            var settings = subject.settings
            settings.runDirectory = "\(subject.folder.path)/o"
            let second = try HAProxyGateway(
                share: "\(Repository.root)/haproxy", settings: settings, log: .none, ownAddresses: subject.ownAddresses)
            let error = try await #require(throws: HAProxyError.self) { try await second.publish(GatewayLayout(users: [alice])) }
            #expect(error.code == .refused && error.message.contains("the port is in use; set gateway.port"), "\(error)")
            #expect(await second.isRunning() == false)

            // Its own one is not taken for another's where somebody has emptied the file, and its structure changes.
            try Files.write("", to: "\(subject.folder.path)/haproxy.cfg", mode: 0o600)
            let layout = GatewayLayout(pools: [Subject.pool(us), Subject.pool(de)], users: [alice])
            try await subject.gateway.publish(layout)
            #expect(try await subject.fileEqualsRuntime(layout))
        }
    }
}
