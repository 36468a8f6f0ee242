import FoundationEssentials
import Glibc
import Platform
import TestSupport

/// A receiver of webhooks that speaks HTTPS: Python's own server, with a certificate that an authority of its own has signed.
struct SecureReceiver {
    struct Request: Decodable {
        var event: String
        var id: String
        var signature: String
        var body: String
    }

    private let folder: TemporaryFolder
    private let pid: Int32
    let port: Int
    /// The authority that has signed its certificate.
    var authority: String { "\(folder.path)/ca.pem" }
    var url: String { "https://localhost:\(port)/hook" }

    /// - Parameter name: what its certificate is for.
    init(name: String = "DNS:localhost") async throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        port = try Ports.free()
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        func openssl(_ words: [String]) async throws {
            let made = try await Programs.run("env", ["-C", folder.path, "openssl"] + words)
            guard made.status == 0 else { throw TimeoutError(what: "openssl: \(made.output)") }
        }
        try Files.write("subjectAltName=\(name)\n", to: "\(folder.path)/names", mode: 0o600)
        try await openssl(["req", "-x509", "-days", "2", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"] + key)
        try await openssl(["req", "-subj", "/CN=receiver", "-keyout", "key.pem", "-out", "request.pem"] + key)
        try await openssl(
            [
                "x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile",
                "names",
                "-out", "cert.pem",
            ])
        pid = try Programs.startDetached("python3", ["-c", Self.program, folder.path, String(port)], log: "\(folder.path)/log")
        try await eventually("it listens", within: 60) { Files.exists("\(folder.path)/ready") }
    }

    /// What has come so far.
    var requests: [Request] {
        let text = (try? Files.read("\(folder.path)/requests", limit: 16 << 20)) ?? ""
        return text.split(separator: "\n").compactMap { try? JSONDecoder().decode(Request.self, from: Data($0.utf8)) }
    }

    func stop() {
        kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }

    private static let program = """
        import http.server, json, ssl, sys
        folder, port = sys.argv[1], int(sys.argv[2])
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                name = "X-Sallyport-"
                with open(folder + "/requests", "a") as file:
                    file.write(json.dumps({"event": self.headers[name + "Event"], "id": self.headers[name + "Delivery"],
                                           "signature": self.headers[name + "Signature"], "body": body}) + "\\n")
                self.send_response(204)
                self.end_headers()
            def log_message(self, *words): pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder + "/cert.pem", folder + "/key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        open(folder + "/ready", "w").close()
        server.serve_forever()
        """
}
