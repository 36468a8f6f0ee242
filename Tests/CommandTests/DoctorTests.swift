import Model
import Platform
import RedisStore
import TestSupport
import Testing

@testable import sallyport

/// What each check says of what was found.
@Suite struct DoctorTests {
    /// A verdict, and words of message and remedy.
    typealias Wanted = (Judgement.Verdict, String)

    private func expect(_ judgement: Judgement, _ wanted: Wanted) {
        #expect(judgement.verdict == wanted.0 && judgement.sentence.contains(wanted.1), "\(judgement)")
        #expect((judgement.remedy == nil) == (judgement.verdict == .pass), "\(judgement)")
    }

    @Test(
        arguments: [
            (true, true, (.pass, "the kernel has WireGuard")), (false, true, (.pass, "wireguard-go")),
            (true, false, (.fault, "modprobe tun")),
            (false, false, (.fault, "/dev/net/tun")),
        ] as [(Bool, Bool, Wanted)])
    func `a tunnel needs its device, and does without the module`(hasModule: Bool, hasTun: Bool, wanted: Wanted) {
        expect(KernelFacts(hasWireGuard: hasModule, hasTun: hasTun).tunnel, wanted)
    }

    @Test(
        arguments: [(.there, (.pass, "nf_tables")), (.missing, (.fault, "modprobe nf_tables")), (.unknown, (.warning, "as root"))]
            as [(KernelFacts.Presence, Wanted)])
    func `an exit needs nf_tables`(presence: KernelFacts.Presence, wanted: Wanted) {
        expect(KernelFacts(nftables: presence).firewall, wanted)
    }

    @Test(
        arguments: [
            (true, true, (.pass, "has IPv6")), (true, false, (.pass, "has IPv6")), (false, false, (.pass, "no account")),
            (false, true, (.warning, "ipv6.disable=1")),
        ] as [(Bool, Bool, Wanted)])
    func `a kernel without IPv6 matters to whoever has an address of it`(hasIPv6: Bool, isWanted: Bool, wanted: Wanted) {
        expect(KernelFacts(hasIPv6: hasIPv6).ipv6(isWanted: isWanted), wanted)
    }

    @Test(
        arguments: [
            (1, (.pass, "keeps exits apart")), (0, (.warning, "bridge-nf-call-iptables=1")), (nil, (.warning, "modprobe br_netfilter")),
        ]
            as [(Int?, Wanted)])
    func `exits are kept apart by the bridge's filter`(calls: Int?, wanted: Wanted) {
        expect(KernelFacts(bridgeCalls: calls).bridge, wanted)
    }

    @Test(
        arguments: [
            (1, true, (.pass, "after a second")), (2, true, (.warning, "net.ipv4.tcp_tw_reuse=1")), (0, true, (.warning, "is 0")),
            (nil, true, (.pass, "")), (2, false, (.pass, "network of its own")),
        ] as [(Int?, Bool, Wanted)])
    func `ports are to be used again soon where HAProxy is on this machine's network`(number: Int?, isOurs: Bool, wanted: Wanted) {
        expect(KernelFacts(reusesPorts: number).portReuse(isOurs: isOurs), wanted)
    }

    private static func folder(_ change: (inout FolderFacts) -> Void) -> FolderFacts {
        var facts = FolderFacts(path: "/data", base: "/data", filesystem: "ext4", room: 5_000_000_000, files: 10_000)
        change(&facts)
        return facts
    }

    @Test(
        arguments: [
            (folder { _ in }, (.pass, "keeps sockets and modes (ext4)")),
            (
                folder {
                    $0.hasSockets = false; $0.filesystem = "vfat"
                }, (.fault, "(vfat) that can hold no Unix sockets")
            ),
            (
                folder {
                    $0.keepsModes = false; $0.filesystem = "vfat"
                }, (.fault, "keeps no file modes")
            ),
            (folder { $0.filesystem = "tmpfs" }, (.warning, "gone when the machine starts again")),
            (
                folder {
                    $0.filesystem = "tmpfs"; $0.setting = "gateway.directory"
                }, (.pass, "tmpfs")
            ),
            (
                folder {
                    $0.trouble = "No space left on device"; $0.isFull = true
                }, (.fault, "make room on the disk of /data")
            ),
            (
                folder {
                    $0.trouble = "Permission denied"; $0.owner = 7; $0.user = 8
                }, (.fault, "belongs to user 7")
            ),
            (
                folder {
                    $0.trouble = "Permission denied"; $0.owner = 7; $0.user = 7
                }, (.fault, "mend its mode")
            ),
            (
                folder {
                    ($0.base, $0.trouble, $0.user) = ("/", "Permission denied", 7)
                }, (.fault, "install -d -m 700 -o 7 /data")
            ),
            (folder { $0.trouble = "Read-only file system" }, (.fault, "mount it for writing")),
            (
                folder {
                    $0.base = "/"; $0.trouble = "Permission denied"
                }, (.fault, "/data, in /, can't be written")
            ),
        ] as [(FolderFacts, Wanted)])
    func `a data folder holds sockets, keeps modes, and can be written`(facts: FolderFacts, wanted: Wanted) {
        expect(facts.judgement, wanted)
    }

    @Test(
        arguments: [
            (5_000_000_000, 10_000, (.pass, "5.0 GB are free")), (400_000_000, 10_000, (.warning, "only 400.0 MB")),
            (20_000_000, 10_000, (.fault, "only 20.0 MB")), (0, nil, (.fault, "only 0 bytes")), (5_000_000_000, 3, (.fault, "df -i")),
            (5_000_000_000, nil, (.pass, "free")), (nil, nil, (.warning, "can't be read")),
        ] as [(UInt64?, UInt64?, Wanted)])
    func `a disk has room`(room: UInt64?, files: UInt64?, wanted: Wanted) {
        expect(Self.folder { ($0.room, $0.files) = (room, files) }.space, wanted)
    }

    private static let free = PortFacts(user: "the API", setting: "api.port", port: 8080)
    private static let taken = PortFacts(
        user: "the gateway", setting: "gateway.port", port: 8128,
        trouble: "can't listen on 127.0.0.1:8128: the port is in use (nginx, process 7)")
    private static let ours = PortFacts(user: "the API", setting: "api.port", port: 8080, trouble: "can't listen", isOurs: true)

    @Test(
        arguments: [
            ([free], (.pass, "free: 8080")), ([ours], (.pass, "ours already: 8080")), ([], (.pass, "")),
            (
                [free, taken],
                (.fault, "the gateway can't listen on 127.0.0.1:8128: the port is in use (nginx, process 7); set gateway.port")
            ),
            ([taken, taken, ours], (.fault, "set gateway.port")),
        ] as [([PortFacts], Wanted)])
    func `a port is free, or ours`(ports: [PortFacts], wanted: Wanted) { expect(PortFacts.judge(ports), wanted) }

    @Test(
        arguments: [
            (DescriptorFacts(limit: 100_000, clients: 20_000, connections: 1_000), (.pass, "20000 clients")),
            (DescriptorFacts(limit: 80_600, clients: 20_000, connections: 1_000), (.pass, "")),
            (DescriptorFacts(limit: 80_599, clients: 20_000, connections: 1_000), (.fault, "set gateway.client_limit to 19999")),
            (DescriptorFacts(limit: 1_024, clients: nil, connections: 5_000), (.warning, "512 open connections, not 5000")),
            (DescriptorFacts(limit: 1_024, clients: 106, connections: 100), (.warning, "only 106 clients")),
            (DescriptorFacts(limit: 4_096, clients: nil, connections: 1_000), (.pass, "4096 open files: 1000 connections")),
        ] as [(DescriptorFacts, Wanted)])
    func `open files are enough for clients and connections`(facts: DescriptorFacts, wanted: Wanted) { expect(facts.judgement, wanted) }

    private static func engine(_ change: (inout EngineFacts) -> Void) -> EngineFacts {
        var facts = EngineFacts(
            software: "Docker/20.10.24 (linux)", version: "1.41", socket: "/run/docker.sock", image: "sallyport-exit:1",
            archive: "/exit.tar")
        change(&facts)
        return facts
    }

    @Test(
        arguments: [
            (engine { _ in }, (.pass, "Docker/20.10.24 (linux) answers on /run/docker.sock, API 1.41")),
            (engine { $0.software = nil }, (.pass, "an engine answers")),
            (
                engine {
                    $0.trouble = "this user may not open it"; $0.remedy = "usermod -aG docker"
                }, (.fault, "usermod -aG docker")
            ),
            (engine { $0.trouble = "the engine speaks API 1.39" }, (.fault, "API 1.40 or newer")),
        ] as [(EngineFacts, Wanted)])
    func `an engine answers`(facts: EngineFacts, wanted: Wanted) { expect(facts.judgement, wanted) }

    @Test(
        arguments: [
            (engine { $0.hasImage = true }, (.pass, "the engine has sallyport-exit:1")),
            (engine { $0.hasArchive = true }, (.pass, "imported")),
            (engine { _ in }, (.warning, "make images")), (engine { $0.trouble = "away" }, (.warning, "can't be asked")),
            (
                engine {
                    $0.trouble = "away"; $0.hasArchive = true
                }, (.pass, "imported")
            ),
        ] as [(EngineFacts, Wanted)])
    func `an engine has the exits' image, or can get it`(facts: EngineFacts, wanted: Wanted) { expect(facts.imageJudgement, wanted) }

    private static func redis(_ change: (inout RedisFacts) -> Void) -> RedisFacts {
        var facts = RedisFacts(address: "redis://h:6379/0", version: "7.0.15")
        change(&facts)
        return facts
    }

    @Test(
        arguments: [
            (redis { _ in }, (.pass, "Redis 7.0.15 answers")),
            (redis { $0.evicts = "allkeys-lru" }, (.fault, "maxmemory-policy noeviction")),
            (redis { $0.version = "5.0.1" }, (.warning, "Redis 6")), (redis { $0.version = nil }, (.pass, "answers")),
            (
                redis {
                    $0.trouble = "refused"; $0.version = nil
                }, (.fault, "redis.url")
            ),
            (
                redis {
                    $0.trouble = "refused"; $0.isPrivate = true; $0.program = "7.0.15"
                }, (.pass, "the controller starts it")
            ),
            (
                redis {
                    $0.trouble = "refused"; $0.isPrivate = true
                }, (.fault, "apt install redis-server")
            ),
            (redis { $0.foreignFormat = StoreFormat.refusal("2") }, (.fault, "in format 2; this one reads format 1 at most")),
        ] as [(RedisFacts, Wanted)])
    func `a Redis answers, throws nothing away, and holds what this version reads`(facts: RedisFacts, wanted: Wanted) {
        expect(facts.judgement, wanted)
    }

    @Test(
        arguments: [(nil, false), ("1", false), ("2", true), ("0", true), ("-1", true), ("", true), ("1.0", true), ("x", true)]
            as [(String?, Bool)])
    func `a store of another format is refused`(text: String?, isRefused: Bool) {
        #expect((StoreFormat.refusal(text) != nil) == isRefused)
    }

    @Test(
        arguments: [
            ("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/\nFeature list : +LUA", (.pass, "HAProxy 2.6.12")),
            ("HAProxy version 3.0.5 2024/09/19\nFeature list : +LUA", (.pass, "3.0.5")),
            ("HAProxy version 2.4.22-0ubuntu0 2023\nFeature list : +LUA", (.fault, "2.6 is the oldest")),
            ("HA-Proxy version 1.8.4 2018", (.fault, "2.6 is the oldest")),
            ("HAProxy version 2.6.12 2026\nFeature list : -LUA", (.fault, "Lua")),
            ("", (.fault, "oldest")), (nil, (.fault, "apt install haproxy")),
        ] as [(String?, Wanted)])
    func `HAProxy is new enough, and has Lua`(output: String?, wanted: Wanted) { expect(ProgramFacts(haproxy: output).gateway, wanted) }

    @Test func `an HAProxy of its own answers, and fping is only missed`() {
        expect(ProgramFacts(isElsewhere: true, answers: true).gateway, (.pass, "answers"))
        expect(ProgramFacts(isElsewhere: true).gateway, (.warning, "start the service"))
        expect(ProgramFacts().echo, (.pass, "fping"))
        expect(ProgramFacts(fpingTrouble: "No such file").echo, (.warning, "apt install fping"))
    }

    @Test(
        arguments: [
            ([:], (.warning, "compared with nobody's")), (["a": 3], (.pass, "agrees with a")), (["a": -3], (.pass, "agrees")),
            (["a": 30], (.warning, "30 s ahead of a")), (["a": -7_300], (.fault, "2 h behind a")),
            (["a": 9_000, "b": 1], (.pass, "agrees with b")),
        ] as [([String: Double], Wanted)])
    func `a clock agrees with a provider's`(ahead: [String: Double], wanted: Wanted) { expect(ClockFacts(ahead: ahead).judgement, wanted) }

    @Test(
        arguments: [
            (ReachFacts(provider: "p", url: "https://p", status: 404), (.pass, "answers (status 404)")),
            (ReachFacts(provider: "p", url: "https://p", trouble: "timed out"), (.fault, "can't be reached (timed out)")),
        ] as [(ReachFacts, Wanted)])
    func `a provider answers, whatever it says`(facts: ReachFacts, wanted: Wanted) { expect(facts.judgement, wanted) }

    @Test(
        arguments: [
            ([], [], (.pass, "no provider's API")), (["a"], [], (.pass, "a: resolved")), (["a", "b"], ["b"], (.fault, "getent hosts b")),
        ] as [([String], [String], Wanted)])
    func `names are resolved`(asked: [String], unresolved: [String], wanted: Wanted) {
        expect(NameFacts(asked: asked, unresolved: unresolved).judgement, wanted)
    }

    @Test(
        arguments: [
            (KeyFacts(account: "p/a", asked: 12, accepted: 3), (.pass, "3 of 12 servers accept the key")),
            (KeyFacts(account: "p/a", asked: 12, reachable: 4), (.fault, "none accepts the key")),
            (KeyFacts(account: "p/a", asked: 12), (.fault, "UDP")),
            (KeyFacts(account: "p/a", trouble: "the token is refused"), (.fault, "the token is refused")),
            (KeyFacts(account: "p/a", mayAsk: false), (.warning, "would take a tunnel away")),
            (KeyFacts(account: "p/a"), (.warning, "held by an exit")),
        ] as [(KeyFacts, Wanted)])
    func `a key is accepted`(facts: KeyFacts, wanted: Wanted) { expect(facts.judgement, wanted) }

    @Test(
        arguments: [
            ("Tue, 01 Dec 2026 02:45:59 GMT", "2026-12-01T02:45:59.000Z"), ("Sat, 31 Oct 2026 23:59:59 GMT", "2026-10-31T23:59:59.000Z"),
            ("Tue, 1 Dec 2026 02:45:59 GMT", nil), ("2026-12-01T02:45:59Z", nil), ("", nil), ("Tue, 01 Foo 2026 02:45:59 GMT", nil),
        ] as [(String, String?)])
    func `a date of HTTP is read`(text: String, time: String?) { #expect(HTTPDate.read(text)?.description == time) }

    // MARK: - Together

    @Test(.timeLimit(.minutes(1))) func `checks run side by side, each within its time, and are shown in their order`() async {
        let begin = ContinuousClock.now
        let checks = [
            Check(name: "hangs", seconds: 0.3) {
                // Whatever is cancelled, it goes on.
                await Task.detached { try? await Task.sleep(for: .seconds(20)) }.value
                return .pass("late")
            },
            Check(name: "slow") {
                try? await Task.sleep(for: .milliseconds(200))
                return .pass("slow")
            },
            Check(name: "quick") { .warning("quick", "do it") },
        ]
        var seen: [[String]] = []
        let findings = await Checkup.run(checks) { seen.append($1) }
        #expect(ContinuousClock.now - begin < .seconds(15))
        #expect(findings.map(\.name) == ["hangs", "slow", "quick"] && findings.map(\.judgement.verdict) == [.fault, .pass, .warning])
        #expect(findings[0].judgement.message == "no answer within 1 s")
        #expect(seen.first == ["hangs", "slow", "quick"] && seen.last == [])
        let report = DoctorReport("c.yaml", findings)
        let text = report.text(.file)
        #expect(
            text.contains("warning  quick  quick\n         -> do it\n") && text.hasSuffix("3 checks: 1 pass, 1 warnings, 1 faults"),
            "\(text)")
        #expect(report.document["verdict"]?.text == "fault" && report.document["checks"]?.items.count == 3)
        #expect(report.document["checks"]?.items[1]["remedy"] == .null && report.document["configuration"]?.text == "c.yaml")
    }

    @Test func `a configuration that can't be read is a fault, and the machine is looked at all the same`() throws {
        let folder = try TemporaryFolder()
        try Files.write("api: {port: many}\n", to: "\(folder.path)/c.yaml", mode: 0o600)
        let (_, reading) = try DoctorReading.read("\(folder.path)/c.yaml")
        #expect(
            reading.configuration != nil && reading.judgement("c").verdict == .fault && reading.judgement("c").message.contains("api.port"))
        try Files.write("api: [", to: "\(folder.path)/c.yaml", mode: 0o600)
        let broken = try DoctorReading.read("\(folder.path)/c.yaml").reading
        #expect(broken.configuration != nil && broken.problems.count == 1, "\(broken.problems)")
    }
}
