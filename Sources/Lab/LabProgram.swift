import DockerEngine
import Glibc
import HTTPServing
import HTTPTransport
import Model
import Platform

/// The `lab` command.
@main
enum LabProgram {
    private static let help = """
        The lab: a VPN provider in a box, for demos and tests.

        Usage: lab up|down|serve|<control> [options]

          up                     start servers, internet and provider API; print a controller's configuration
          down                   take all of it away
          serve                  only the provider's API, in the foreground
          kill|revive SERVER     end a server at once; bring it back
          blackhole|heal SERVER  drop all its WireGuard packets; end every misbehaviour
          delay SERVER MS        make the way to it longer by that many milliseconds each way, until Ctrl-C
          loss SERVER 2%         lose that share of its WireGuard packets, each way; `heal` ends it
          throttle SERVER 5mbit  limit what it sends; `heal` ends it
          refuse|accept ACCOUNT  have all servers forget an account's key; have them know it again
          limit ACCOUNT N|none   have all servers together give an account N tunnels at once, as its provider would
          devices                the servers at which each account has a tunnel

        Options: --docker ADDRESS (DOCKER_HOST or the standard socket), --folder DIR (.run/lab),
                 --image-archive FILE (.build/images/lab.tar), --port N (8790),
                 --name NAME (sallyport-lab), --network 18|19 (of 198.18.0.0/15),
                 --countries N (0): so many countries more, with a server each,
                 --rows N (0): so many servers more in its list, of which none exists; 9394 makes it as long as a real one
        Servers: \(LabLayout().servers.map(\.container).joined(separator: " "))
        Accounts: main, alice, bob, carol; keys and tokens are in DIR/accounts
        The last ones of us and de die by themselves: four minutes of life, one of silence.

        """

    static func main() async {
        Signals.ignorePipe()
        CryptoLibrary.initialize()
        do { exit(try await run(Array(CommandLine.arguments.dropFirst()))) } catch {
            let line = Array("lab: \(error)\n".utf8)
            _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
            exit(1)
        }
    }

    private static func run(_ arguments: [String]) async throws -> Int32 {
        let options = try LabOptions(arguments)
        guard let action = options.words.first, !options.words.contains("--help") else {
            print(help, terminator: "")
            return options.words.isEmpty ? 2 : 0
        }
        let log = Log()
        let client = HTTPClient()
        defer { client.close() }
        let lab = try Lab(
            layout: LabLayout(name: options.name, network: options.network, moreCountries: options.countries), folder: options.folder,
            imageArchive: options.imageArchive, engine: EngineClient(address: options.docker, client: client), log: log)
        switch action {
        case "up": try await up(lab, options, client, log)
        case "down":
            stopAPI(options.folder)
            try await lab.down()
        case "serve": try await serve(lab, port: options.port, rows: options.rows)
        case "kill", "revive", "blackhole", "heal", "delay", "loss", "throttle": try await change(lab, options.words, log)
        case "refuse", "accept", "limit": try await setAccount(lab, options)
        case "devices":
            for (account, servers) in try await lab.devices().sorted(by: { $0.key < $1.key }) {
                print("\(account): \(servers.count) (\(servers.joined(separator: ", ")))")
            }
        default: throw LabError(message: "unknown \(action); `lab --help` lists what there is")
        }
        return 0
    }

    private static func up(_ lab: Lab, _ options: LabOptions, _ client: HTTPClient, _ log: Log) async throws {
        try await lab.up()
        let url = "http://127.0.0.1:\(options.port)"
        try await startAPI(
            url, client,
            arguments: [
                "serve", "--folder", options.folder, "--port", String(options.port), "--network", String(lab.layout.network),
                "--rows", String(options.rows), "--countries", String(options.countries),
            ],
            folder: options.folder)
        try Files.write(lab.keys.token + "\n", to: "\(options.folder)/token", mode: 0o600)
        try Files.makePrivateFolder("\(options.folder)/accounts")
        for account in lab.keys.accounts {
            try Files.write(account.token + "\n", to: "\(options.folder)/accounts/\(account.name).token", mode: 0o600)
            try Files.write(account.client.privateKey + "\n", to: "\(options.folder)/accounts/\(account.name).key", mode: 0o600)
        }
        log.info("lab: \(lab.layout.servers.count) servers answer: \(lab.layout.summary)")
        if options.rows > 0 { log.info("lab: \(options.rows) more are in its list, and never answer: all but those named like us9001") }
        let mortals = lab.layout.servers.filter(\.isMortal).map(\.container).joined(separator: " and ")
        log.info("lab: \(mortals) fall silent for a minute every few minutes")
        print(lab.configuration(apiURL: url, tokenFile: "\(options.folder)/token"), terminator: "")
    }

    /// Ends a server, brings it back, or changes how its packets travel.
    private static func change(_ lab: Lab, _ words: [String], _ log: Log) async throws {
        let action = words[0]
        guard words.count >= 2, let server = lab.layout.servers.first(where: { $0.container == words[1] }) else {
            throw LabError(message: "\(action) wants a server: \(lab.layout.servers.map(\.container).joined(separator: ", "))")
        }
        switch action {
        case "kill": try await lab.kill(server)
        case "revive": try await lab.revive(server)
        case "delay": try await delay(server, lab, words.dropFirst(2).map(Int.init), log)
        case "loss", "throttle":
            guard words.count == 3 else { throw LabError(message: "\(action) wants how much, like 2% or 5mbit") }
            try await lab.control(server, action, words[2])
        default: try await lab.control(server, action)
        }
    }

    /// Keeps a server further away until Ctrl-C.
    private static func delay(_ server: LabServer, _ lab: Lab, _ numbers: [Int?], _ log: Log) async throws {
        guard numbers.count == 1, let milliseconds = numbers[0], (1...10_000).contains(milliseconds) else {
            throw LabError(message: "delay wants milliseconds, 1 to 10000")
        }
        let signals = Signals.stream([SIGINT, SIGTERM])
        let relay = try await lab.delay(server, milliseconds: milliseconds)
        log.info("lab: \(server.container) is \(milliseconds) ms further away, until Ctrl-C")
        for await _ in signals { break }
        try await lab.endDelay(server, relay)
    }

    private static func setAccount(_ lab: Lab, _ options: LabOptions) async throws {
        let names = lab.keys.accounts.map(\.name)
        guard options.words.count >= 2, let account = lab.keys.account(options.words[1]) else {
            throw LabError(message: "\(options.words[0]) wants an account: \(names.joined(separator: ", "))")
        }
        switch options.words[0] {
        case "refuse": try await lab.refuse(account)
        case "accept": try await lab.accept(account)
        default:
            let (word, number) = (options.words.last ?? "", Int(options.words.last ?? ""))
            guard options.words.count == 3, word == "none" || number.map({ (1...1000).contains($0) }) ?? false else {
                throw LabError(message: "limit wants a number of tunnels, 1 to 1000, or none")
            }
            try await lab.limit(account, to: number)
        }
    }

    private static func serve(_ lab: Lab, port: Int, rows: Int) async throws {
        let signals = Signals.stream([SIGINT, SIGTERM])
        let api = LabAPI(catalog: LabCatalog(lab.layout, lab.keys, size: rows), keys: lab.keys)
        let server = try HTTPServer(address: "127.0.0.1", port: port, dispatch: api.dispatcher())
        for await _ in signals { break }
        await server.stop()
    }

    /// Starts the API as a process of its own, unless it answers already.
    private static func startAPI(_ url: String, _ client: HTTPClient, arguments: [String], folder: String) async throws {
        // One that was started by another version, or with other rows, has another list.
        let setup = Digest.sha256("\(arguments) \(LabLayout().servers) accounts")
        if await answers(url, client), (try? Files.read("\(folder)/api.setup")) == setup { return }
        stopAPI(folder)
        for _ in 0..<100 where await answers(url, client) { try await Task.sleep(for: .milliseconds(20)) }
        try Files.write(setup, to: "\(folder)/api.setup", mode: 0o600)
        let pid = try Programs.startDetached("/proc/self/exe", arguments, log: "\(folder)/api.log")
        try Files.write("\(pid)\n", to: "\(folder)/api.pid", mode: 0o600)
        for _ in 0..<250 {
            if await answers(url, client) { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw LabError(message: "the provider's API does not answer on \(url); see \(folder)/api.log")
    }

    private static func answers(_ url: String, _ client: HTTPClient) async -> Bool {
        var request = HTTPRequest("GET", "\(url)/v2/servers?limit=1")
        request.deadline = 2
        return (try? await client.send(request))?.status == 200
    }

    private static func stopAPI(_ folder: String) {
        guard let text = try? Files.read("\(folder)/api.pid"), let pid = pid_t(text.filter { !$0.isWhitespace }),
            let command = try? Files.read("/proc/\(pid)/cmdline"), command.contains("serve")
        else { return }
        kill(pid, SIGTERM)
        Files.remove("\(folder)/api.pid")
    }
}
