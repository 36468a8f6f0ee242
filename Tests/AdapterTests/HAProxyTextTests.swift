@testable import HAProxyControl
import Model
import Testing

/// Answers of HAProxy 2.6.12, as they were recorded.
@Suite struct HAProxyTextTests {
    private static let header =
        "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n"

    @Test(
        arguments: [
            ("8 pool-us 1 s1 172.31.0.2 2 0 1 1 65 1 0 0 0 0 0 0 - 3128 - 0 0 - - 0", 1, "172.31.0.2:3128", GatewaySlot.State.ready),
            ("8 pool-us 2 s2 127.0.0.1 0 5 1 1 65 1 0 0 0 0 0 0 - 1 - 0 0 - - 0", 2, "127.0.0.1:1", .maintenance),
            ("8 pool-us 3 s3 172.31.0.3 2 8 1 1 2 1 0 0 0 0 0 0 - 3128 - 0 0 - - 0", 3, "172.31.0.3:3128", .drain),
            ("8 pool-us 3 s3 172.31.0.3 2 12 1 1 2 1 0 0 0 0 0 0 - 3128 - 0 0 - - 0", 3, "172.31.0.3:3128", .drain),
            ("8 pool-us 4 s4 172.31.0.4 2 4 1 1 2 1 0 0 0 0 0 0 - 3128 - 0 0 - - 0", 4, "172.31.0.4:3128", .ready),
            ("8 pool-us 5 s5 172.31.0.5 0 1 1 1 2 1 0 0 0 0 0 0 - 3128 - 0 0 - - 0", 5, "172.31.0.5:3128", .maintenance),
        ])
    func `a server's state is read`(line: String, number: Int, endpoint: String, state: GatewaySlot.State) throws {
        let slots = RuntimeAnswers.slots(Self.header + line + "\n")
        let slot = try #require(slots.first)
        #expect(slots.count == 1 && slot.backend == "pool-us" && slot.slot.number == number && slot.slot.state == state)
        #expect(slot.slot.endpoint?.description == endpoint)
    }

    @Test(arguments: ["", "1\n", "garbage", "8 pool-us 1 s1 172.31.0.2 2 0", "4 http 1 http - 2 0 1 1 65 1 0 0 0 0 0 0 - 0 - 0 0 - - 0"])
    func `what is no line of a slot is left out`(text: String) {
        #expect(RuntimeAnswers.slots(text).isEmpty)
        #expect(RuntimeAnswers.slots(Self.header + text).isEmpty)
    }

    @Test func `connections are read by backend and server`() {
        let text =
            "# pxname,svname,qcur,scur,bin,bout,econ,eresp\npool-us,s1,0,7,5,900,2,3\npool-us,s2,,x,,,,\npool-us,s3,0\n\nhttp,http,0,2,3,4,,\n"
        let traffic = RuntimeAnswers.traffic(text)
        #expect(traffic["pool-us/s1"] == .init(sessions: 7, received: 900, errors: 5) && traffic["pool-us/s2"] == .init())
        #expect(traffic["http/http"] == .init(sessions: 2, received: 4) && traffic.count == 3)
        #expect(RuntimeAnswers.traffic("").isEmpty && RuntimeAnswers.traffic("garbage\n").isEmpty)
    }

    @Test func `old workers are told from the present one, and a failed reload from a good one`() {
        let good = """
            #<PID>          <type>          <reloads>       <uptime>        <version>
            30612           master          1 [failed: 0]   0d00h01m06s     2.6.12-1+deb12u4
            # workers
            30662           worker          0               0d00h00m55s     2.6.12-1+deb12u4
            # old workers
            30613           worker          1               0d00h01m06s     2.6.12-1+deb12u4
            # programs

            """
        let processes = RuntimeAnswers.processes(good)
        #expect(processes.master == 30612 && processes.oldWorkers == [30613] && !processes.hasFailed)
        #expect(RuntimeAnswers.processes(good.replacing("[failed: 0]", with: "[failed: 2]")).hasFailed)
        #expect(RuntimeAnswers.processes("").master == nil)
    }

    @Test func `the lines of a map and of the process's facts are read`() {
        #expect(RuntimeAnswers.map("0x55d alice 0a:1b\n0x55e bob 0c:1d,0e:1f\n\nbroken\n") == ["alice": "0a:1b", "bob": "0c:1d,0e:1f"])
        let info = "Name: HAProxy\nPid: 4711\ndescription: 0123abc\n"
        #expect(RuntimeAnswers.info("Pid", in: info) == "4711" && RuntimeAnswers.info("description", in: info) == "0123abc")
        #expect(RuntimeAnswers.info("Uptime", in: info) == nil)
        #expect(RuntimeAnswers.process(info) == nil && RuntimeAnswers.process(info + "Start_time_sec: 1795634847\n") == "4711-1795634847")
    }

    private static let (one, two) = (Endpoint(address: "172.31.0.2", port: 3128), Endpoint(address: "172.31.0.3", port: 3128))
    private static let parked = Endpoint(address: "127.0.0.1", port: 1)
    private static let close = ["set server pool-us/s1 state maint", "cut pool-us/s1"]

    @Test(
        arguments: [
            (parked, .maintenance, nil, .maintenance, []),
            (one, .ready, one, .ready, []),
            (one, .drain, one, .drain, []),
            (parked, .maintenance, one, .ready, ["set server pool-us/s1 addr 172.31.0.2 port 3128", "set server pool-us/s1 state ready"]),
            (parked, .maintenance, one, .drain, ["set server pool-us/s1 addr 172.31.0.2 port 3128", "set server pool-us/s1 state drain"]),
            (one, .ready, one, .drain, ["set server pool-us/s1 state drain"]),
            (one, .drain, one, .ready, ["set server pool-us/s1 state ready"]),
            (one, .maintenance, one, .ready, ["set server pool-us/s1 state ready"]),
            (one, .ready, two, .ready, close + ["set server pool-us/s1 addr 172.31.0.3 port 3128", "set server pool-us/s1 state ready"]),
            (one, .drain, two, .ready, close + ["set server pool-us/s1 addr 172.31.0.3 port 3128", "set server pool-us/s1 state ready"]),
            (one, .maintenance, two, .ready, ["set server pool-us/s1 addr 172.31.0.3 port 3128", "set server pool-us/s1 state ready"]),
            (one, .ready, nil, .maintenance, close + ["set server pool-us/s1 addr 127.0.0.1 port 1"]),
            (one, .drain, nil, .maintenance, close + ["set server pool-us/s1 addr 127.0.0.1 port 1"]),
            (one, .maintenance, nil, .maintenance, ["set server pool-us/s1 addr 127.0.0.1 port 1"]),
        ] as [(Endpoint, GatewaySlot.State, Endpoint?, GatewaySlot.State, [String])])
    func `the changes between two slots never send anybody to a wrong address`(
        address: Endpoint, state: GatewaySlot.State, wanted: Endpoint?, wantedState: GatewaySlot.State, commands: [String]
    ) throws {
        let present = GatewaySlot(number: 1, endpoint: address, state: state)
        let slot = GatewaySlot(number: 1, endpoint: wanted, state: wantedState)
        let changes = try HAProxyGateway.changes(from: present, to: slot, name: "pool-us/s1").map { change in
            switch change {
            case .tell(let command): command
            case .cut(let server): "cut \(server)"
            }
        }
        #expect(changes == commands)
    }

    @Test(arguments: [0, -1, 65_536]) func `a port that HAProxy would take modulo 65536 is refused`(port: Int) {
        let slot = GatewaySlot(number: 1, endpoint: Endpoint(address: "172.31.0.2", port: port), state: .ready)
        #expect(throws: HAProxyError.self) { try HAProxyGateway.changes(from: .free(1), to: slot, name: "pool-us/s1") }
    }

    @Test func `of the table of sessions only a user's own are read`() {
        let text = """
            # table: sessions, type: string, size:204800, used:5
            0x557c8c0fd628: key=alice/a1/us/ use=0 exp=604799819 gpt0=1796079054 gpt1=4294967295
            0x557c8c0fd629: key=alicia/a2/us/ use=0 exp=604799819 gpt0=1796079054 gpt1=815
            0x557c8c0fd62a: key=bob/alice/us/ use=0 exp=604799819 gpt0=1796079054 gpt1=815
            0x557c8c0fd62b: key=alice/a3/us,ca/dallas use=1 exp=604799819 gpt0=1 gpt1=0
            0x557c8c0fd62c: key=alice/half use=0 exp=604799819 gpt0=1796079054 gpt1=815
            0x557c8c0fd62d: key=alice/a4/us/ use=0 exp=6
            """
        let sessions = RuntimeAnswers.sessions(text, of: "alice")
        #expect(sessions.map(\.name) == ["a1", "a3"] && sessions.map(\.exitNumber) == [.max, 0])
        #expect(sessions.map(\.endsAt.milliseconds) == [1_796_079_054_000, 1000])
        #expect(RuntimeAnswers.sessions("", of: "alice").isEmpty && RuntimeAnswers.sessions("garbage\n", of: "alice").isEmpty)
    }
}
