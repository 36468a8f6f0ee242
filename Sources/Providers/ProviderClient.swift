package import HTTPTransport
package import Model
import Platform
import Synchronization

/// One provider's API, with an account's credentials.
package struct ProviderClient: Sendable {
    package enum Credentials: Sendable, Hashable {
        /// An access token of the account, with which its private key is fetched.
        case accessToken(Secret)
        /// The account's WireGuard private key itself.
        case privateKey(Secret)
    }

    /// Seconds until a list is given up: without a connection, without another byte, and as a whole.
    package struct Deadlines: Sendable, Equatable {
        package var connect = 5.0
        package var silence = 30.0
        package var whole = 120.0
        package init() {}
    }

    package enum Answer: Sendable {
        case list(ServerList, ListStamp)
        /// The list is still the one that the stamp is of.
        case unchanged
    }

    /// Bytes of a list at most; NordVPN's longest has 32 million.
    private static let listLimit = 64 << 20

    package let provider: Provider
    private let url: String
    private let listPath: String
    private let options: ListOptions
    private let credentials: Credentials?
    private let client: HTTPClient
    private let authorityFile: String?
    package var deadlines = Deadlines()

    package init(
        _ provider: Provider, url: String? = nil, listPath: String? = nil, options: ListOptions = ListOptions(), credentials: Credentials?,
        authorityFile: String? = nil, client: HTTPClient
    ) {
        self.provider = provider
        self.url = url ?? provider.url
        self.listPath = listPath ?? provider.listPath
        self.options = options
        self.credentials = credentials
        self.client = client
        self.authorityFile = authorityFile
    }

    /// The servers that can be used. The list is read while it arrives, and never kept as a whole.
    ///
    /// - Parameter exit: the proxy of an exit of ours, for a provider that refuses this machine's own address. A list is asked for
    ///   without the account's credentials, so none go through it.
    /// - Throws: `ProviderError`.
    package func list(newerThan stamp: ListStamp = ListStamp(), through exit: HTTPProxy? = nil) async throws -> Answer {
        let (request, reader) = (listRequest(newerThan: stamp, through: exit), ReaderBox(ListReader(provider, options: options)))
        let response: HTTPResponse
        do { response = try await client.send(request, taking: { reader.feed($0) }) } catch let error as TransportError {
            throw unreachable(error)
        }
        if response.status == 304, stamp != ListStamp() { return .unchanged }
        try check(response, isPublic: true)
        do { return .list(try reader.finish(), Self.stamp(of: response)) } catch let error as ProviderError {
            // A page for people in place of the list comes from what guards the API.
            guard response.headers["content-type"]?.lowercased().hasPrefix("text/html") ?? false else { throw error }
            throw ProviderError(
                code: .blocked, provider: provider.name.rawValue, message: "it answers with a web page, as services do that block callers")
        }
    }

    private func listRequest(newerThan stamp: ListStamp, through exit: HTTPProxy?) -> HTTPRequest {
        var request = HTTPRequest("GET", url + listPath, headers: headers)
        if let tag = stamp.entityTag { request.headers.append(("If-None-Match", tag)) }
        if let time = stamp.lastModified { request.headers.append(("If-Modified-Since", time)) }
        request.connectDeadline = deadlines.connect
        request.silenceDeadline = deadlines.silence
        request.deadline = deadlines.whole
        request.authorityFile = authorityFile
        if let exit {
            request.go(through: exit)
            request.tunnels = true
        }
        request.bodyLimit = Self.listLimit
        return request
    }

    /// Its values go back into a header: one that can't be one is none.
    private static func stamp(of response: HTTPResponse) -> ListStamp {
        func sound(_ value: String?) -> String? {
            value.flatMap { $0.utf8.count <= 256 && $0.utf8.allSatisfy { (0x20...0x7E).contains($0) } ? $0 : nil }
        }
        return ListStamp(entityTag: sound(response.headers["etag"]), lastModified: sound(response.headers["last-modified"]))
    }

    /// The private key, where it was given and need not be fetched.
    package var givenKey: Secret? { if case .privateKey(let key) = credentials { key } else { nil } }

    /// The private key of our tunnels.
    package func privateKey() async throws -> Secret {
        if case .privateKey(let key) = credentials { return key }
        if case .accessToken(let token) = credentials, let keyOfToken = provider.keyOfToken { return try await keyOfToken(self, token) }
        let wanted = provider.takesTokens ? "access_token or private_key" : "private_key"
        throw ProviderError(code: .credentialsRejected, provider: provider.name.rawValue, message: "no \(wanted) is configured")
    }

    /// The body of an answer to an account's question.
    func get(_ path: String, authorization: String) async throws -> [UInt8] {
        var request = HTTPRequest("GET", url + path, headers: headers + [("Authorization", authorization)])
        request.bodyLimit = 1 << 20
        request.authorityFile = authorityFile
        let response: HTTPResponse
        do { response = try await client.send(request) } catch let error as TransportError { throw unreachable(error) }
        try check(response, isPublic: false)
        return response.body
    }

    /// Some refuse callers that don't say who they are.
    private var headers: [(name: String, value: String)] { [("Accept", "application/json"), ("User-Agent", "sallyport")] }

    private func unreachable(_ error: TransportError) -> ProviderError {
        ProviderError(code: .unreachable, provider: provider.name.rawValue, message: "\(url) can't be reached (\(error.message))")
    }

    private func check(_ response: HTTPResponse, isPublic: Bool) throws {
        let name = provider.name.rawValue
        let pause = response.headers["retry-after"].flatMap { Int($0) }.map { Double(min(86_400, max(0, $0))) }
        switch response.status {
        case 200: return
        case 401, 403:
            if isPublic {
                throw ProviderError(
                    code: .blocked, provider: name, message: "it refuses this address (status \(response.status))", retryAfter: pause)
            }
            throw ProviderError(
                code: .credentialsRejected, provider: name,
                message: "the access token is refused; make a new one in the account and put it into providers.\(name).access_token_file")
        case 429: throw ProviderError(code: .rateLimited, provider: name, message: "too many requests (status 429)", retryAfter: pause)
        case 500...: throw ProviderError(code: .failing, provider: name, message: "status \(response.status)", retryAfter: pause)
        default: throw ProviderError(code: .badAnswer, provider: name, message: "status \(response.status)", retryAfter: pause)
        }
    }
}

/// A reader that is fed on the client's thread, and then finished on the caller's: never both at once, which the lock proves.
private final class ReaderBox: Sendable {
    private struct Held: @unchecked Sendable { let reader: ListReader }
    private let held: Mutex<Held>

    init(_ reader: sending ListReader) { held = Mutex(Held(reader: reader)) }
    func feed(_ bytes: UnsafeRawBufferPointer) -> Bool { held.withLock { $0.reader.feed(bytes) } }
    func finish() throws -> ServerList { try held.withLock { try $0.reader.finish() } }
}
