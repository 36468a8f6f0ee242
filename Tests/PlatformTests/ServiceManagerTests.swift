import Glibc
import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct ServiceManagerTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test func `it is told everything, one datagram each`() throws {
        let receiver = try NotifySocket("\(folder.path)/notify")
        let manager = try #require(ServiceManager(["NOTIFY_SOCKET": receiver.name]))
        manager.ready()
        manager.status("leads\nand more")
        manager.stopping()
        manager.alive()
        #expect(["READY=1", "STATUS=leadsand more", "STOPPING=1", "WATCHDOG=1"] == (0..<4).map { _ in receiver.next() })
        manager.reloading()
        let lines = receiver.next()?.split(separator: "\n").map(String.init) ?? []
        #expect(lines.count == 2 && lines[0] == "RELOADING=1")
        let moment = try #require(lines.last?.wholeMatch(of: /MONOTONIC_USEC=([0-9]+)/).flatMap { Int($0.1) })
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        #expect((0...60_000_000).contains(now.tv_sec * 1_000_000 - moment + 1_000_000))
    }

    @Test func `a name without a file is one too`() throws {
        let receiver = try NotifySocket("@sallyport-test-\(getpid())")
        let manager = try #require(ServiceManager(["NOTIFY_SOCKET": receiver.name]))
        manager.ready()
        #expect(receiver.next() == "READY=1")
    }

    @Test(arguments: [[:], ["NOTIFY_SOCKET": ""], ["NOTIFY_SOCKET": "@"], ["NOTIFY_SOCKET": "vsock:2:1"], ["NOTIFY_SOCKET": "run/notify"]])
    func `without a socket that is known nobody is told`(environment: [String: String]) {
        #expect(ServiceManager(environment) == nil)
    }

    @Test func `a receiver that is gone is no error`() throws {
        let manager = try #require(ServiceManager(["NOTIFY_SOCKET": "\(folder.path)/nobody"]))
        manager.ready()
    }

    @Test(arguments: [
        ("WATCHDOG_USEC", "30000000", 30.0), ("WATCHDOG_USEC", "500000", 0.5), ("WATCHDOG_USEC", "0", nil), ("WATCHDOG_USEC", "x", nil),
        ("OTHER", "1", nil),
    ])
    func `it says how often it wants to hear`(name: String, value: String, seconds: Double?) {
        let environment = ["NOTIFY_SOCKET": "\(folder.path)/notify", name: value]
        #expect(ServiceManager(environment)?.watchdogSeconds == seconds)
        #expect(ServiceManager(environment.merging(["WATCHDOG_PID": "\(getpid())"]) { $1 })?.watchdogSeconds == seconds)
        // Those of a parent are for the parent.
        #expect(ServiceManager(environment.merging(["WATCHDOG_PID": "1"]) { $1 })?.watchdogSeconds == nil)
    }
}
