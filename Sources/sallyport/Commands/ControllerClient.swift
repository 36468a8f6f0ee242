import FoundationEssentials
import Glibc
import HTTPTransport
import Model
import Platform

/// The controller's API answered with a problem.
struct APIError: Error, CustomStringConvertible {
    var status: Int
    var code: String
    var message: String
    var description: String { message }
}

/// No controller answers.
struct UnreachableError: Error, CustomStringConvertible {
    var url: String
    var description: String { "no controller answers on \(url); start one with `make run` or `sallyport run`, or name it with --api" }
}

/// The API as the commands use it.
struct ControllerClient: Sendable {
    let client: HTTPClient
    let url: String
    let key: Secret
    /// Those of the command that asks.
    private let asked: [Option]

    static let options = [
        Option(name: "api", value: "URL", help: "the controller's API ($SALLYPORT_API, the context's, or http://127.0.0.1:8080)"),
        Option(name: "key-file", value: "FILE", help: "the file with an API key ($SALLYPORT_KEY_FILE, the context's, or .run/admin.key)"),
        Option(name: "context", value: "NAME", help: "the controller of this name; see `sallyport context`"),
        Command.jsonOption, Times.option,
    ]

    init(_ arguments: Arguments, client: HTTPClient) throws {
        self.client = client
        let address = try ControllerAddress(arguments, environment: ProcessEnvironment.values())
        (url, key, asked) = (address.url, address.key, arguments.options)
    }

    /// Runs a body with a client, and ends the client's thread whatever happens.
    static func with(_ arguments: Arguments, _ body: (ControllerClient) async throws -> Int32) async throws -> Int32 {
        let client = HTTPClient()
        defer { client.close() }
        return try await body(ControllerClient(arguments, client: client))
    }

    func get(_ path: String) async throws -> Document { try await call("GET", path) }

    /// The text of a successful answer.
    func text(_ path: String) async throws -> String {
        var request = HTTPRequest("GET", url + path, headers: [("X-API-Key", key.revealed)])
        request.deadline = 60
        request.bodyLimit = 256 << 20
        let response: HTTPResponse
        do { response = try await client.send(request) } catch let error as TransportError where error.code == .connectFailed {
            throw UnreachableError(url: url)
        }
        guard response.status == 200 else { throw refusal(response) }
        return response.text
    }

    /// The JSON of a successful answer; null where it has none.
    @discardableResult
    func call(_ method: String, _ path: String, body: Document? = nil, deadline: Double = 30) async throws -> Document {
        var request = HTTPRequest(method, url + path, headers: [("X-API-Key", key.revealed)])
        if let body {
            request.headers.append(("Content-Type", "application/json"))
            request.body = [UInt8](try JSONEncoder().encode(body))
        }
        request.deadline = deadline
        let response: HTTPResponse
        do { response = try await client.send(request) } catch let error as TransportError where error.code == .connectFailed {
            throw UnreachableError(url: url)
        }
        if (200..<300).contains(response.status) || (path == "/health/ready" && response.status == 503) {
            return Self.document(response)
        }
        throw refusal(response)
    }

    /// In the controller's own words, where it is one; a field is called as the option that it came from.
    func refusal(_ response: HTTPResponse) -> APIError {
        let document = Self.document(response)
        let fields = (document["fields"]?.items ?? []).compactMap { problem in
            problem["field"]?.text.map { "\(Self.optionName(of: $0, asked)): \(problem["message"]?.text ?? "")" }
        }
        return APIError(
            status: response.status, code: document["error"]?.text ?? "http_\(response.status)",
            message: fields.isEmpty
                ? document["message"]?.text ?? "status \(response.status) from \(url)" : fields.joined(separator: "; "))
    }

    /// `--expires-in` for `expires_in_seconds`, `--countries` for `countries[1]`; the field itself where no option sets it.
    static func optionName(of field: String, _ options: [Option]) -> String {
        let name = field.split(separator: ".").last.map { String($0.prefix { $0 != "[" }) } ?? field
        return options.first { $0.field == name }.map { "--\($0.name)" } ?? field
    }

    private static func document(_ response: HTTPResponse) -> Document {
        response.body.isEmpty ? .null : (try? Document(json: response.body)) ?? .null
    }
}

/// Reading answers without a type for each.
extension Document {
    subscript(_ name: String) -> Document? { if case .object(let fields) = self { fields[name] } else { nil } }
    var text: String? { if case .string(let text) = self { text } else { nil } }
    var items: [Document] { if case .array(let items) = self { items } else { [] } }
    var number: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }

    /// Itself as JSON with sorted keys, for `--json`.
    var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "null"
    }
}

/// A line on the terminal that tells what is being waited for, and how long already.
struct Progress {
    let isTerminal = isatty(STDERR_FILENO) == 1
    private let columns = Screen.width(of: STDERR_FILENO, ProcessEnvironment.values())
    private let start = ContinuousClock.now
    private var last = ""

    mutating func show(_ words: String) {
        if isTerminal {
            let seconds = Int((ContinuousClock.now - start) / .seconds(1))
            write("\r\u{1B}[K\(Self.line(words, seconds: seconds, columns: columns))")
        } else if words != last {
            write("\(words)\n")
        }
        last = words
    }

    /// One line of the terminal: a longer one would begin another each time that it is shown.
    static func line(_ words: String, seconds: Int, columns: Int) -> String {
        let time = " (\(seconds) s)"
        // The last column stays free: some terminals begin the next line with it.
        let room = columns - 1
        guard words.count + time.count > room else { return words + time }
        return time.count + 4 > room ? String(words.prefix(max(0, room))) : words.prefix(room - time.count - 3) + "..." + time
    }

    func end() { if isTerminal, !last.isEmpty { write("\r\u{1B}[K") } }
    private func write(_ text: String) { _ = text.utf8CString.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count - 1) } }
}
