import HTTPServing
import Model
import Platform
import TestSupport
import Testing

@testable import sallyport

/// What people see: tables, colours, times.
@Suite struct ScreenTests {
    private let table = Table(
        ["EXIT", "STATE", "CITY", "REASON"],
        [["us-1", "serving", "Los Angeles", ""], ["de-1", "failed", "Frankfurt am Main", "no handshake with the server for a minute"]])

    @Test func `a table that is piped is whole, and has no colours`() {
        #expect(
            table.text(.file) == """
                EXIT  STATE    CITY               REASON
                us-1  serving  Los Angeles
                de-1  failed   Frankfurt am Main  no handshake with the server for a minute
                """)
    }

    @Test(arguments: [20, 40, 45, 60, 79, 80, 120])
    func `a table on a terminal fits it, and only free text is cut`(columns: Int) {
        let lines = table.text(Screen(columns: columns, hasColours: false)).split(separator: "\n")
        // Names and states are never cut, and free text not below eight columns.
        #expect(lines.allSatisfy { $0.count <= max(columns, "EXIT  STATE    ".count + 8 + 2 + 8) }, "\(lines)")
        #expect(lines[1].hasPrefix("us-1  serving  ") && lines[2].hasPrefix("de-1  failed   "))
        #expect(lines[2].hasSuffix("\u{2026}") == (columns < 77), "\(lines)")
    }

    @Test func `states have colours, heads are bold, and the columns stay where they are`() {
        let plain = table.text(Screen(columns: 200, hasColours: false))
        let text = table.text(Screen(columns: 200, hasColours: true))
        #expect(text.contains("\u{1B}[32mserving\u{1B}[0m") && text.contains("\u{1B}[31mfailed\u{1B}[0m") && text.contains("\u{1B}[1mEXIT"))
        #expect(text.replacing(/\u{1B}\[[0-9]+m/, with: "") == plain)
    }

    @Test func `an empty table is said in words`() {
        #expect(Table(["A"], [], nothing: "no things").text(.file) == "no things")
    }

    @Test(
        arguments: [
            ("2026-07-01T12:30:05.123Z", true, "2026-07-01 12:30:05 UTC"), ("2026-07-01T14:30:05+02:00", true, "2026-07-01 12:30:05 UTC"),
            ("never", true, "never"), ("", false, ""), ("2026-07-01", true, "2026-07-01"),
        ])
    func `times are read, and what is none stays`(value: String, isUTC: Bool, text: String) {
        #expect(Times.text(value, isUTC: isUTC) == text)
    }

    @Test(
        arguments: [
            ("users", "limits.bytes_per_day", "--bytes-per-day"), ("users", "expires_at", "--expires"),
            ("users", "countries[1]", "--countries"),
            ("keys", "expires_in_seconds", "--expires-in"), ("users", "overlap_seconds", "--overlap"),
            ("up", "rotate_after_mb", "--rotate-after-mb"),
            ("servers", "limit", "--top"), ("servers", "max_load", "--max-load"), ("audit", "key", "--by"),
            ("webhooks", "secret", "--secret-file"),
            ("webhooks", "url", "url"), ("users", "name", "name"),
        ])
    func `a field of the API is called as the option that sets it`(command: String, field: String, name: String) throws {
        #expect(ControllerClient.optionName(of: field, try #require(Command.named(command)).options) == name)
    }

    @Test(arguments: ["http://h:1", "http://h:1/", "http://h:1//", " http://h:1/ ", "h:1", "h:1/"])
    func `an API's address may end with a slash`(text: String) throws {
        #expect(try ControllerAddress.address(text, "--api") == "http://h:1")
    }

    @Test func `the usual configuration is the first that is there`() throws {
        let folder = try TemporaryFolder()
        let files = ["\(folder.path)/a", "\(folder.path)/b"]
        #expect(Configuration.usualFile(among: files) == nil)
        try Files.write("", to: files[1], mode: 0o600)
        #expect(Configuration.usualFile(among: files) == files[1])
        try Files.write("", to: files[0], mode: 0o600)
        #expect(Configuration.usualFile(among: files) == files[0])
    }

    @Test(arguments: [
        (0, "0 bytes"), (999, "999 bytes"), (1_000, "1.0 kB"), (999_949, "999.9 kB"), (999_960, "1.0 MB"), (50e9, "50.0 GB"),
        (-2_000, "-2.0 kB"),
    ])
    func `bytes have their unit`(number: Double, text: String) { #expect(Figures.bytes(number) == text) }

    @Test(arguments: [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "119 min"), (7_200, "2 h"), (172_800, "2 d")])
    func `durations have their unit`(number: Double, text: String) { #expect(Figures.duration(number) == text) }
}

/// The built program on a terminal, and in a pipe.
@Suite(.timeLimit(.minutes(2)), .enabled(if: Files.exists(Repository.built("sallyport")), "there is no .build/debug/sallyport"))
struct TerminalTests {
    private static let exits = #"""
        {"exits":[{"id":"us-1","state":"serving","country":"US","server":{"hostname":"us1.lab.test","load":7,"latency_ms":12.3},
        "provider":"lab","exit_ip":"198.18.0.1","reason":"a reason of more letters than a narrow terminal has room for in one line"}]}
        """#

    private static let answers: [String: String] = [
        "/api/exits": exits,
        "/api/users": #"{"users":[{"name":"alice","created_at":"2026-07-01T12:00:00.000Z","expires_at":"2026-12-31T00:00:00Z"}]}"#,
        "/api/alerts": #"{"alerts":[{"severity":"critical","message":"m","remedy":"r","since":"2026-07-01T12:00:00Z"}]}"#,
        "/api/events": #"{"events":[{"at":"2026-07-01T12:00:00Z","severity":"warning","kind":"k","message":"m"}],"last":"1-1"}"#,
        "/api/logs": #"{"lines":[{"time":"2026-07-01T12:00:00Z","level":"warn","message":"m"}],"last":"1"}"#,
        "/audit/verify": #"{"intact":true,"entries":1}"#, "/health/ready": #"{"status":"ready"}"#,
        "/api/webhooks/w1/test": #"{"delivered":true}"#,
    ]

    /// Runs a shell's line in which `sallyport` asks a controller that is written here.
    private func shell(_ line: String, _ environment: [String] = []) async throws -> Programs.Result {
        let folder = try TemporaryFolder()
        try Files.write(String(repeating: "k", count: 43), to: "\(folder.path)/key", mode: 0o600)
        let server = try HTTPServer(address: "127.0.0.1", port: 0) { request in
            let path = "/" + request.path.joined(separator: "/")
            return .ready(.json(bytes: Array((request.method == "GET" || path.hasSuffix("test") ? Self.answers[path] ?? "{}" : "{}").utf8)))
        }
        let variables = ["HOME=\(folder.path)", "SALLYPORT_API=http://127.0.0.1:\(server.port)/", "SALLYPORT_KEY_FILE=\(folder.path)/key"]
        let program = line.replacing(/sallyport(?![.\w\/])/, with: Repository.built("sallyport"))
        let unset = ["NO_COLOR", "COLUMNS", "XDG_CONFIG_HOME"].flatMap { ["-u", $0] }
        let result = try await Programs.run(
            "env", ["-C", folder.path] + unset + ["TERM=xterm"] + variables + environment + ["sh", "-c", program])
        await server.stop()
        return result
    }

    private func onTerminal(_ words: String, _ environment: [String] = []) async throws -> String {
        try await shell("script -qec '\(words)' /dev/null", environment).output.replacing("\r\n", with: "\n")
    }

    @Test func `a terminal gets colours and a table that fits it, a pipe neither`() async throws {
        let narrow = try await onTerminal("sallyport exits", ["COLUMNS=90"])
        #expect(narrow.contains("\u{1B}[32mserving\u{1B}[0m") && narrow.contains("\u{2026}"), "\(narrow)")
        let plain = narrow.replacing(/\u{1B}\[[0-9]+m/, with: "").split(separator: "\n")
        #expect(plain.allSatisfy { $0.count <= 90 } && plain.count == 2, "\(plain)")
        let wide = try await onTerminal("stty cols 400; sallyport exits")
        #expect(wide.contains("room for in one line"), "\(wide)")
        #expect(try await !onTerminal("sallyport exits", ["NO_COLOR=1"]).contains("\u{1B}"))
        #expect(try await !onTerminal("sallyport exits", ["TERM=dumb"]).contains("\u{1B}"))
        let piped = try await shell("sallyport exits", ["COLUMNS=40"])
        #expect(piped.output.contains("room for in one line") && !piped.output.contains("\u{1B}"), "\(piped.output)")
    }

    @Test(arguments: ["users", "alerts", "events", "logs"])
    func `times are the machine's, or UTC where it is asked for`(command: String) async throws {
        let here = try await shell("sallyport \(command)", ["TZ=CET-1CEST,M3.5.0,M10.5.0/3"]).output
        #expect(here.contains("2026-07-01 14:00:00 CEST"), "\(here)")
        let utc = try await shell("sallyport \(command) --utc", ["TZ=CET-1CEST,M3.5.0,M10.5.0/3"]).output
        #expect(utc.contains("2026-07-01 12:00:00 UTC") && !utc.contains("CEST"), "\(utc)")
        // Programs get what the API says.
        let json = try await shell("sallyport \(command) --json", ["TZ=CET-1CEST,M3.5.0,M10.5.0/3"]).output
        #expect(json.contains("2026-07-01T12:00:00"), "\(json)")
    }

    /// A line for each command that ends by itself. `store` and `teardown` have no controller to ask.
    private static let lines: [String: [String]] = [
        "up": ["up us --no-wait"], "down": ["down us-1 --no-wait", "down us --no-wait"], "status": ["status"],
        "exits": ["exits", "exits usage us-1", "exits rotate us-1"], "pools": ["pools"], "alerts": ["alerts"], "breakers": ["breakers"],
        "events": ["events"], "logs": ["logs", "logs us-1"], "speedtest": ["speedtest us-1"],
        "servers": ["servers us", "servers --explain"],
        "latency": ["latency us"], "countries": ["countries"], "cities": ["cities us"], "wireguard": ["wireguard check /etc/hostname"],
        "users": [
            "users", "users add bob", "users set bob --disable", "users rotate bob", "users token bob", "users token bob --remove",
            "users usage bob", "users show bob", "users remove bob",
        ],
        "keys": ["keys", "keys add k"], "dashboard": ["dashboard"], "settings": ["settings", "settings set requests=1"],
        "webhooks": [
            "webhooks", "webhooks add https://h", "webhooks deliveries w1", "webhooks test w1", "webhooks replay w1 1-0",
            "webhooks enable w1",
            "webhooks remove w1",
        ],
        "audit": ["audit", "audit verify", "audit verify --file /dev/null", "audit acknowledge"], "config": ["config --running"],
        "reload": ["reload"], "context": ["context"], "completion": ["completion bash"], "manual": ["manual"], "doctor": ["doctor"],
        "teardown": ["teardown --config c.yaml"], "store": [], "run": [], "echo": [], "engine-guard": [],
    ]

    @Test(arguments: Command.all.map(\.name)) func `every command prints JSON where it is asked to`(name: String) async throws {
        #expect(try #require(Command.named(name)).options.contains { $0.name == "json" && $0.value == nil })
        let share = "data_dir: d\nshare_dir: \(Repository.root)\ndocker: {host: /nobody.sock}\n"
        let configuration = share + "providers: {nordvpn: {private_key: 'yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk='}}"
        for line in try #require(Self.lines[name], "no line for \(name)") {
            let result = try await shell("printf '%s' \"$FILE\" >c.yaml; sallyport \(line) --json 2>err", ["FILE=\(configuration)"])
            #expect(result.status <= 1, "\(line): \(result)")
            // Events and lines of the log are a document each.
            let texts = ["events", "logs"].contains(line) ? result.output.split(separator: "\n").map(String.init) : [result.output]
            #expect(!texts.isEmpty && texts.allSatisfy { (try? Document(json: $0.utf8)) != nil }, "\(line): \(result.output)")
        }
    }

    @Test func `echo prints JSON too, and the guard logs it`() async throws {
        let port = try Ports.free()
        let echo = try await shell("timeout -s INT 2 sallyport echo --listen 127.0.0.1:\(port) --json")
        #expect(try Document(json: echo.output.utf8)["listens"]?.text == "http://127.0.0.1:\(port)/")
        let log = try await shell("timeout -s INT 2 sallyport engine-guard --listen /tmp/sp-\(port).sock --engine /nobody.sock --json 2>&1")
        let lines = log.output.split(separator: "\n")
        #expect(!lines.isEmpty && lines.allSatisfy { (try? Document(json: $0.utf8)) != nil }, "\(log.output)")
    }

    @Test func `a refusal names the option`() async throws {
        let folder = try TemporaryFolder()
        try Files.write(String(repeating: "k", count: 43), to: "\(folder.path)/key", mode: 0o600)
        let server = try HTTPServer(address: "127.0.0.1", port: 0) { request in
            let problem = APIProblem(
                status: 422, code: "invalid", message: "expires_at: is past; limits.connections: is 0",
                fields: [
                    FieldProblem(field: "expires_at", message: "is past"), FieldProblem(field: "limits.connections", message: "is 0"),
                    FieldProblem(field: "name", message: "is taken"),
                ])
            return .ready(problem.response(id: request.id))
        }
        let result = try await Programs.run(
            Repository.built("sallyport"),
            [
                "users", "add", "bob", "--expires", "2020-01-01T00:00:00Z", "--api", "http://127.0.0.1:\(server.port)/", "--key-file",
                "\(folder.path)/key",
            ])
        #expect(result.status == 1 && result.output == "sallyport: --expires: is past; --connections: is 0; name: is taken\n", "\(result)")
        await server.stop()
    }

    @Test func `the configuration of the working folder is read without being named, and that is said`() async throws {
        let result = try await shell("printf 'api: {port: 9123}' >sallyport.yaml; sallyport config")
        #expect(result.status == 2 && result.output.contains("reads ./sallyport.yaml"), "\(result.output)")
        let run = try await shell("printf 'api: {port: many}' >sallyport.yaml; sallyport run")
        #expect(run.status == 2 && run.output.contains("api.port"), "\(run.output)")
        let none = try await shell("sallyport config")
        #expect(
            none.status == 2 && none.output.contains("there is no ./sallyport.yaml and no /etc/sallyport/sallyport.yaml"), "\(none.output)")
    }
}
