import Glibc
import HTTPServing
import Model
import Platform

extension Command {
    static let echo = Command(
        name: "echo", usage: "[--listen ADDRESS:PORT]", summary: "Say to whoever asks from which address that is, until Ctrl-C",
        options: [
            Option(name: "listen", value: "ADDRESS:PORT", help: "an IPv4 address of this machine and a port (0.0.0.0:8190)"), jsonOption,
        ],
        examples: ["sallyport echo --listen 0.0.0.0:8190    # on another machine; name it in verification.own_urls"]
    ) { arguments in
        _ = try arguments.expect()
        let text = arguments["listen"] ?? "0.0.0.0:8190"
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, Configuration.isIPv4(String(parts[0])), let port = Int(parts[1]), (1...65_535).contains(port) else {
            throw UsageError(message: "--listen is '\(text)', expected an IPv4 address and a port like 0.0.0.0:8190")
        }
        let ends = Signals.stream([SIGINT, SIGTERM])
        let server = try EchoServer(endpoint: Endpoint(address: String(parts[0]), port: port), trustedProxies: []).start()
        _ = Output.line(
            arguments.has("json")
                ? Document.object(["listens": .string("http://\(text)/")]).json : "says who asks on http://\(text)/ and /json")
        for await _ in ends { break }
        await server.stop(grace: 1)
        return Status.success
    }
}
