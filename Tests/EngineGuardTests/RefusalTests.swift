import DockerEngine
@testable import EngineGuard
import Model
import TestSupport
import Testing

/// Ways past the guard: each must be refused, and the engine must hear nothing of it.
@Suite(.serialized, .timeLimit(.minutes(1))) struct RefusalTests {
    /// What is put into, or changed in, the body of a good container.
    private static let changes: [(String, String)] = [
        // Fields that open the box, in every case and place.
        (#""HostConfig":{"#, #""HostConfig":{"Privileged":true,"#), (#""HostConfig":{"#, #""HostConfig":{"privileged":true,"#),
        (#""HostConfig":{"#, #""HostConfig":{"Binds":["/:/host"],"#), (#""HostConfig":{"#, #""HostConfig":{"PidMode":"host","#),
        (#""HostConfig":{"#, #""HostConfig":{"IpcMode":"host","#), (#""HostConfig":{"#, #""HostConfig":{"UTSMode":"host","#),
        (#""HostConfig":{"#, #""HostConfig":{"UsernsMode":"host","#), (#""HostConfig":{"#, #""HostConfig":{"CgroupParent":"/","#),
        (#""HostConfig":{"#, #""HostConfig":{"VolumesFrom":["x"],"#), (#""HostConfig":{"#, #""HostConfig":{"Runtime":"x","#),
        (#""HostConfig":{"#, #""HostConfig":{"MaskedPaths":[],"#), (#""HostConfig":{"#, #""HostConfig":{"ReadonlyPaths":null,"#),
        (#""HostConfig":{"#, #""HostConfig":{"RestartPolicy":{"Name":"always"},"#), (#""HostConfig":{"#, #""HostConfig":{"NewField":1,"#),
        (#""HostConfig":{"#, #""HostConfig":{"PortBindings":{},"#), (#""HostConfig":{"#, #""HostConfig":{"ExtraHosts":["a:1"],"#),
        (#""NetworkMode":"sallyport""#, #""NetworkMode":"host""#), (#""NetworkMode":"sallyport""#, #""NetworkMode":"container:x""#),
        (#""CapAdd":["#, #""CapAdd":["SYS_ADMIN","#), (#""CapAdd":["NET_ADMIN","SETUID","SETGID","SYS_CHROOT"]"#, #""CapAdd":"ALL""#),
        (#""CapAdd":"#, #""capadd":["SYS_ADMIN"],"CapAdd":"#), (#""CapDrop":["ALL"]"#, #""CapDrop":[]"#), (#""CapDrop":["ALL"],"#, ""),
        (#""Mounts":["#, #""Mounts":[{"Type":"bind","Source":"/","Target":"/h"},"#), (#""Type":"volume""#, #""Type":"bind","Source":"/""#),
        (#""Type":"volume""#, #""Type":"volume","VolumeOptions":{"DriverConfig":{"Options":{"type":"none","device":"/","o":"bind"}}}"#),
        (#""PathOnHost":"/dev/net/tun""#, #""PathOnHost":"/dev/sda""#), (#""Devices":["#, #""Devices":[{"PathOnHost":"/dev/sda"},"#),
        (#"["no-new-privileges"]"#, #"["seccomp=unconfined"]"#),
        (#"["no-new-privileges"]"#, #"["no-new-privileges","seccomp=unconfined"]"#),
        (#""ReadonlyRootfs":true"#, #""ReadonlyRootfs":false"#), (#""ReadonlyRootfs":true"#, #""ReadonlyRootfs":1"#),
        (#""Memory":268435456"#, #""Memory":0"#), (#""Memory":268435456"#, #""Memory":268435457"#),
        (#""Memory":268435456"#, #""Memory":1e400"#),
        (#""PidsLimit":2304"#, #""PidsLimit":-1"#), (#""Sysctls":{"#, #""Sysctls":{"kernel.msgmax":"1","#),
        (#""Tmpfs":{"#, #""Tmpfs":{"/x":"exec","#),
        (#""Entrypoint":["/exit"]"#, #""Entrypoint":["/bin/sh"]"#), (#""Entrypoint":"#, #""Cmd":["sh"],"Entrypoint":"#),
        (#""Env":[]"#, #""Env":["LD_PRELOAD=x"]"#),
        (#""Env":[]"#, #""Env":null"#), (#""Entrypoint":"#, #""User":"0","Entrypoint":"#),
        (#""Entrypoint":"#, #""Volumes":{"/x":{}},"Entrypoint":"#),
        (#""Image":"sallyport-exit:"#, #""Image":"debian:"#), (#""Image":"#, #""image":"debian","Image":"#),
        (#""Image":"sallyport-exit:"#, #""Image":"x/sallyport-exit:"#),
        (#""Hostname":"exit""#, #""Hostname":"exit2""#), (#""Test":["CMD","/healthcheck"]"#, #""Test":["CMD-SHELL","id"]"#),
        // The fields that are wanted, where Docker does not look.
        (#""HostConfig":{"#, #""Decoy":{"NetworkMode":"sallyport"},"HostConfig":{"#), (#""HostConfig":{"#, #""hostconfig":{"#),
        (#""HostConfig":{"#, #""HostConfig":{"HostConfig":{"Privileged":true},"#),
        // Behind a line feed.
        (#""HostConfig":{"#, "\n\"HostConfig\":{\n\"Privileged\"\n:\ntrue,"),
        (#"["no-new-privileges"]"#, "\n[\n\"seccomp=unconfined\"\n]\n"),
        (#""NetworkMode":"sallyport""#, "\n\"NetworkMode\":\"host\""),
        // A name twice, or in disguise.
        (#""NetworkMode":"sallyport""#, #""NetworkMode":"sallyport","NetworkMode":"host""#),
        (#""NetworkMode":"sallyport""#, #""NetworkMode":"sallyport","Network\u004dode":"host""#),
        (#""HostConfig":{"#, #""HostConfig":null,"HostConfig":{"#),
        (#""HostConfig":{"#, #""HostConfig":{"\u0050rivileged":true,"#), (#""HostConfig":{"#, #""HostConfig":{"Priv\u0131leged":true,"#),
        (#""HostConfig":{"#, "\"HostConfig\":{\"\u{212A}ernelMemory\":1,"),
        (#""NetworkMode":"#, #""NetworkMode\u0000":"host","NetworkMode":"#),
        // Other networks.
        (#""EndpointsConfig":{"#, #""EndpointsConfig":{"bridge":{},"#),
        (#""EndpointsConfig":{"sallyport":{}}"#, #""EndpointsConfig":{"host":{}}"#),
        (#""EndpointsConfig":{"sallyport":{}}"#, #""EndpointsConfig":{"sallyport":{"Aliases":["x"]}}"#),
        (#""EndpointsConfig":{"sallyport":{}}"#, #""EndpointsConfig":{"sallyport":{"IPAMConfig":{"IPv4Address":"172.30.241.9"}}}"#),
        (#""EndpointsConfig":{"sallyport":{}}"#, #""EndpointsConfig":{"sallyport":{"IPAMConfig":{"IPv4Address":"172.30.240.1"}}}"#),
        (#""EndpointsConfig":{"sallyport":{}}"#, #""EndpointsConfig":{"sallyport":{"IPAMConfig":{"IPv4Address":"172.30.240.255"}}}"#),
        (#""EndpointsConfig":{"sallyport":{}}"#, #""EndpointsConfig":{"sallyport":{"IPAMConfig":{"IPv4Address":"172.30.240.010"}}}"#),
        (#""EndpointsConfig":{"sallyport":{}}"#, #""EndpointsConfig":{"sallyport":{"IPAMConfig":{"IPv4Address":"::1"}}}"#),
        (
            #""EndpointsConfig":{"sallyport":{}}"#,
            #""EndpointsConfig":{"sallyport":{"IPAMConfig":{"IPv4Address":"172.30.240.9","LinkLocalIPs":[]}}}"#
        ),
        (#""NetworkingConfig":{"#, #""NetworkDisabled":false,"NetworkingConfig":{"#),
        // Labels of others.
        (#""io.sallyport.owner":"sallyport""#, #""io.sallyport.owner":"other""#),
        (#""io.sallyport.exit":"us-1""#, #""io.sallyport.exit":"us-2""#),
        (#""Labels":{"#, #""Labels":{"com.docker.compose.project":"sallyport","#),
        (#""io.sallyport.server":"198.18.1.10""#, #""io.sallyport.server":"x""#),
        (#""io.sallyport.fence":"7""#, #""io.sallyport.fence":7"#), (#""io.sallyport.generation":"3""#, #""io.sallyport.generation":"03""#),
        // What is no JSON, or more than one.
        ("}}", "}},"), (#""Env":[]"#, #""Env":[],"#), (#""Env":[]"#, #""Env":[,]"#), (#""Env":[]"#, #"'Env':[]"#),
        (#""Env":[]"#, #"/**/"Env":[]"#),
    ]

    @Test(arguments: changes) func `a container that is no exit is refused`(from: String, to: String) async throws {
        try await GuardSubject.with { subject in
            let good = try subject.good()
            let bad = good.replacing(from, with: to)
            #expect(bad != good, "the change does not fit the template")
            let answer = try await subject.ask("POST", GuardSubject.createTarget, Array(bad.utf8))
            #expect(answer.status == 403, "\(answer.text)")
            // It may have asked for the network whose address is wanted.
            #expect(subject.arrived.allSatisfy { $0.line == "GET /v1.41/networks/sallyport" })
        }
    }

    @Test func `a body in another encoding, or more than a body, is refused`() async throws {
        try await GuardSubject.with { subject in
            let good = Array(try subject.good().utf8)
            for body in [
                [0xEF, 0xBB, 0xBF] + good, [0xFF, 0xFE] + good.flatMap { [$0, 0] }, good.flatMap { [$0, 0] }, good.flatMap { [0, $0] },
                good + good, good + [0],
                good.flatMap { $0 == UInt8(ascii: "7") ? [0xFF] : [$0] }, [], Array("{}".utf8), Array("[]".utf8), Array("null".utf8),
                Array("\"\"".utf8),
                [UInt8](repeating: UInt8(ascii: "["), count: 30_000),
            ] as [[UInt8]] {
                #expect(try await subject.ask("POST", GuardSubject.createTarget, body).status == 403)
            }
            #expect(try await subject.ask("POST", GuardSubject.createTarget, good + [UInt8](repeating: 0x20, count: 40_000)).status == 413)
            #expect(subject.arrived.isEmpty)
        }
    }

    @Test(arguments: [
        #"{"Cmd":["busybox","sh"],"AttachStdout":true,"AttachStderr":true}"#, "{}", #"{"Cmd":"sh"}"#, #"{"cmd":["sh"]}"#,
        "MORE\"Privileged\":true", "MORE\"privileged\":true",
        "MORE\"User\":\"0\"", "MORE\"Tty\":true", "MORE\"Env\":[\"A=b\"]", "MORE\"WorkingDir\":\"/\"", "MORE\"AttachStdin\":true",
        "MORE\"DetachKeys\":\"x\"",
        "MORE\n\"Privileged\":true", "MORE\"\\u0050rivileged\":true", "MORE\"Cmd\":[\"sh\"]", "MORE\"\\u0043md\":[\"sh\"]",
    ])
    func `a program that the controller does not run, or in another way, is refused`(text: String) async throws {
        try await GuardSubject.with { subject in
            let good = String(decoding: try EngineCoding.encode(ExecCreate(cmd: ExitCommand.tunnel.words)), as: UTF8.self)
            let body = text.hasPrefix("MORE") ? "\(good.dropLast()),\(text.dropFirst(4))}" : text
            let answer = try await subject.ask("POST", "\(GuardSubject.container)/exec", Array(body.utf8))
            #expect(answer.status == 403 && subject.arrived.isEmpty, "\(answer.text)")
        }
    }

    @Test(arguments: [
        "GET /v1.41/containers/traefik/json", "DELETE /v1.41/containers/redis?force=true",
        "DELETE /v1.41/containers/redis?force=true&v=true",
        "POST /v1.41/containers/guard/exec", "GET /v1.41/info", "GET /v1.41/volumes", "GET /v1.41/version", "GET /version",
        "GET /v1.41/_ping",
        "POST /v1.41/images/create?fromImage=debian&repo=sallyport-exit", "POST /v1.41/build", "POST /build", "GET /v1.41/secrets",
        "GET /v1.41/containers/sallyport-us-1-g3/../../info", "GET /v1.41/containers/sallyport-us-1-g3/%2e%2e/json",
        "GET /v1.41/containers/sallyport-us-1-g3%2Fjson",
        "GET //v1.41/containers/sallyport-us-1-g3/json", "GET /v1.41//containers/sallyport-us-1-g3/json",
        "GET /v1.41/./containers/sallyport-us-1-g3/json",
        "GET /v1.41/containers/sallyport-us-1-g3/json/", "GET /v1.41/containers/sallyport-us-1-g3/json?size=true",
        "POST /v1.41/containers/sallyport-us-1-g3/update",
        "GET /v1.41/containers/sallyport-us-1-g3/top", "GET /v1.41/containers/sallyport-us-1-g3/export",
        "POST /v1.41/containers/sallyport-us-1-g3/attach",
        "POST /v1.41/containers/sallyport-us-1-g3/rename?name=x", "POST /v1.41/containers/sallyport-us-1-g3/start?detachKeys=x",
        "POST /v1.41/networks/create",
        "POST /v1.41/networks/sallyport/connect", "POST /v1.41/networks/bridge/connect", "DELETE /v1.41/networks/sallyport",
        "GET /v1.41/networks", "GET /v1.41/networks/bridge",
        "GET /v1.41/images/json", "GET /v1.41/images/debian/json", "GET /v1.41/images/sallyport-exit%3Ax%2F..%2Fdebian/json",
        "GET /v1.41/images/sallyport-exit/json",
        "DELETE /v1.41/images/sallyport-exit", "GET /containers/json", "GET /v1.39/containers/json", "GET /v1.48/containers/json",
        "GET /v1.041/containers/json",
        "GET /v2.0/containers/json", "GET /v1.41/containers/json?filters=%7B%7D",
        "GET /v1.41/containers/json?filters=%7B%22label%22%3A%5B%22x%22%5D%7D",
        "GET /v1.41/containers/json?all=true&all=false", "GET /v1.41/containers/json?limit=1", "GET /v1.41/containers/json?filters=",
        "GET /v1.41/events",
        "GET /v1.41/events?since=0", "GET /v1.41/events?filters=%7B%22label%22%3A%5B%22io.sallyport.owner%3Dsallyport%22%5D%7D",
        "GET /v1.41/containers/json?",
        "POST /v1.41/containers/create", "POST /v1.41/containers/create?name=other",
        "POST /v1.41/containers/create?name=sallyport-us-1-g03",
        "POST /v1.41/containers/create?name=sallyport-us-1-g3&platform=x", "POST /v1.41/containers/create?name=/sallyport-us-1-g3",
        "POST /v1.41/containers/create?name=sallyport-us-1-g3&name=x", "DELETE /v1.41/containers/sallyport-us-1-g3",
        "DELETE /v1.41/containers/sallyport-us-1-g3?force=true&v=true&link=1",
        "GET /v1.41/containers/sallyport-us-1-g3/logs?stdout=true&stderr=true",
        "GET /v1.41/containers/sallyport-us-1-g3/logs?stdout=true&stderr=true&tail=all",
        "GET /v1.41/containers/sallyport-us-1-g3/logs?stdout=true&stderr=true&tail=9&since=1",
        "PUT /v1.41/containers/sallyport-us-1-g3/archive?path=%2F",
        "GET /v1.41/containers/sallyport-us-1-g3/archive?path=%2Fconfig",
        "PUT /v1.41/containers/sallyport-us-1-g3/archive?path=%2Fconfig&copyUIDGID=1",
        "GET /v1.41/exec/x/json", "POST /v1.41/exec/\(GuardSubject.exec)/resize?h=1&w=1", "GET /v1.41/containers/sallyport-uk-1-g1/json",
        "GET /v1.41/containers/sallyport-zz-1-g1/json",
        "GET /v1.41/containers/sallyport-us-1-g3-x/json", "GET /v1.41/containers/SALLYPORT-us-1-g3/json",
        "GET /v1.41/containers/other-us-1-g3/json", "HEAD /_ping", "GET /_ping?x=1",
        "POST /_ping", "OPTIONS /v1.41/containers/json", "POST /session", "POST /grpc", "GET /v1.41/plugins", "POST /v1.41/swarm/init",
        "GET /v1.41/distribution/x/json",
    ])
    func `a call that no exit needs is refused`(line: String) async throws {
        try await GuardSubject.with { subject in
            let words = line.split(separator: " ").map(String.init)
            let body = words[1].contains("create?name") ? Array(try subject.good().utf8) : words[0] == "PUT" ? ExitFile.archive([65]) : []
            let answer = try await subject.ask(words[0], words[1], body)
            #expect([400, 403].contains(answer.status), "\(answer.text)")
            #expect(subject.arrived.isEmpty)
        }
    }

    @Test(arguments: [("GET", "json"), ("POST", "start"), ("GET", "logs?stdout=true&stderr=true&tail=1"), ("DELETE", "?force=true&v=true")])
    func `a container whose labels are somebody else's is left alone, whatever its name`(call: (String, String)) async throws {
        try await GuardSubject.with { subject in
            let target = "/v1.41/containers/sallyport-us-99-g1" + (call.1.hasPrefix("?") ? call.1 : "/\(call.1)")
            let answer = try await subject.ask(call.0, target)
            #expect(answer.status == 403 && answer.text.contains("not an exit of sallyport") && subject.asked.isEmpty, "\(answer.text)")
        }
    }

    @Test func `an archive that is not the one file is refused`() async throws {
        try await GuardSubject.with { subject in
            let content = Array("A=b\n".utf8)
            let good = ExitFile.archive(content)
            func spoilt(_ at: Int, _ bytes: [UInt8]) -> [UInt8] {
                var archive = good
                archive.replaceSubrange(at..<at + bytes.count, with: bytes)
                // A right checksum, so that only the field is wrong.
                archive.replaceSubrange(148..<156, with: [UInt8](repeating: 0x20, count: 8))
                let sum = String(archive[..<512].reduce(0) { $0 + Int($1) }, radix: 8)
                archive.replaceSubrange(148..<156, with: Array("\(String(repeating: "0", count: 6 - sum.count))\(sum)\0 ".utf8))
                return archive
            }
            let link = spoilt(156, Array("2".utf8)), device = spoilt(156, Array("3".utf8)), folder = spoilt(156, Array("5".utf8))
            for archive in [
                link, device, folder, spoilt(0, Array("../x".utf8)), spoilt(0, Array("/etc/x".utf8)), spoilt(100, Array("0004755".utf8)),
                spoilt(108, Array("0000001".utf8)),
                spoilt(157, Array("/etc/passwd".utf8)), spoilt(124, Array("77777777777".utf8)), spoilt(124, [0x80, 0, 0, 0]),
                spoilt(345, Array("/etc".utf8)), good + good,
                Array(good.dropLast(1024)) + good, Array(good.dropLast(512)), good + [0], ExitFile.archive([]), ExitFile.archive([0]),
                ExitFile.archive([0xFF]),
                ExitFile.archive([UInt8](repeating: 65, count: 9_000)), [], [UInt8](repeating: 0, count: 1_536), Array("garbage".utf8),
                TarArchive.bytes(of: [
                    TarFile(name: "exit.conf", mode: 0o600, content: content), TarFile(name: "x", mode: 0o600, content: content),
                ]),
                TarArchive.bytes(of: [TarFile(name: "exit.conf", mode: 0o644, content: content)]),
            ] {
                let answer = try await subject.ask("PUT", "\(GuardSubject.container)/archive?path=%2Fconfig", archive)
                #expect(answer.status == 403, "\(answer.text)")
            }
            #expect(subject.arrived.isEmpty)
        }
    }
}
