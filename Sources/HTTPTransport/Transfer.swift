import CCurl
import CShims
import Model

/// One request under way: its curl handle and what has arrived. Made by a caller, then used by the curl thread alone.
final class Transfer: @unchecked Sendable {
    enum Sink {
        case whole(CheckedContinuation<HTTPResponse, any Error>)
        case stream(AsyncThrowingStream<[UInt8], any Error>.Continuation)
        case pieces(@Sendable (UnsafeRawBufferPointer) -> Bool, CheckedContinuation<HTTPResponse, any Error>)
    }

    let id: Int
    let request: HTTPRequest
    private let sink: Sink
    private(set) var handle: UnsafeMutableRawPointer?
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private var connectList: UnsafeMutablePointer<curl_slist>?
    private var headers: [String: String] = [:]
    private var body: [UInt8] = []
    private var arrived = 0
    private var isTooLarge = false
    /// Who takes the pieces wants no more of them.
    private var isUnwanted = false

    init(id: Int, request: HTTPRequest, sink: Sink) {
        self.id = id
        self.request = request
        self.sink = sink
    }

    deinit {
        if let handle { curl_easy_cleanup(handle) }
        curl_slist_free_all(headerList)
        curl_slist_free_all(connectList)
    }

    /// Sets up the curl handle, which is this transfer's own from now on; nil when libcurl refuses an option.
    func prepare(_ handle: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let handle else { return nil }
        self.handle = handle
        var options = CurlOptions(handle: handle)
        setCallbacks(handle)
        setLimits(&options)
        setWay(&options)
        setProxy(&options)
        setContent(&options)
        return options.areAccepted ? handle : nil
    }

    private func setCallbacks(_ handle: UnsafeMutableRawPointer) {
        let this = Unmanaged.passUnretained(self).toOpaque()
        shim_curl_set_pointer(handle, CURLOPT_PRIVATE, this)
        shim_curl_set_pointer(handle, CURLOPT_WRITEDATA, this)
        shim_curl_set_data_callback(handle, CURLOPT_WRITEFUNCTION, TransferCallbacks.body)
        shim_curl_set_pointer(handle, CURLOPT_HEADERDATA, this)
        shim_curl_set_data_callback(handle, CURLOPT_HEADERFUNCTION, TransferCallbacks.header)
    }

    private func setLimits(_ options: inout CurlOptions) {
        options.set(CURLOPT_NOSIGNAL, 1)
        options.set(CURLOPT_CONNECTTIMEOUT_MS, Int(request.connectDeadline * 1000))
        if request.deadline > 0 { options.set(CURLOPT_TIMEOUT_MS, Int(request.deadline * 1000)) }
        guard request.silenceDeadline > 0 else { return }
        options.set(CURLOPT_LOW_SPEED_LIMIT, 1)
        options.set(CURLOPT_LOW_SPEED_TIME, Int(request.silenceDeadline))
    }

    /// Where the connection goes, and whom it trusts.
    private func setWay(_ options: inout CurlOptions) {
        options.set(CURLOPT_URL, request.url)
        // A user may be called ".."; libcurl would take that for a step up.
        options.set(CURLOPT_PATH_AS_IS, 1)
        // Only what we speak, and never a redirect: an answer from outside must not choose where we connect to.
        options.set(CURLOPT_PROTOCOLS_STR, "http,https")
        options.set(CURLOPT_FOLLOWLOCATION, 0)
        if request.isIPv4Only { options.set(CURLOPT_IPRESOLVE, Int(CURL_IPRESOLVE_V4)) }
        if let file = request.authorityFile {
            options.set(CURLOPT_CAINFO, file)
            shim_curl_set_pointer(options.handle, CURLOPT_CAPATH, nil)
        }
        if let address = request.address {
            // Whatever host and port the URL has: this address, that port. Unlike CURLOPT_RESOLVE no other spelling can miss it.
            connectList = curl_slist_append(nil, "::\(address.contains(":") ? "[\(address)]" : address):")
            shim_curl_set_pointer(options.handle, CURLOPT_CONNECT_TO, connectList)
        }
        if let unixSocket = request.unixSocket { options.set(CURLOPT_UNIX_SOCKET_PATH, unixSocket) }
        if request.connectOnly { options.set(CURLOPT_CONNECT_ONLY, 1) }
    }

    private func setProxy(_ options: inout CurlOptions) {
        // No proxy but the one that we name: the environment's must not carry our requests.
        options.set(CURLOPT_PROXY, request.proxy ?? "")
        if let user = request.proxyUser { options.set(CURLOPT_PROXYUSERNAME, user) }
        if let password = request.proxyPassword { options.set(CURLOPT_PROXYPASSWORD, password.revealed) }
        if request.tunnels { options.set(CURLOPT_HTTPPROXYTUNNEL, 1) }
        if request.proxy != nil {
            options.set(CURLOPT_FRESH_CONNECT, 1)
            options.set(CURLOPT_FORBID_REUSE, 1)
        }
        // Head lines of a proxy's answer to CONNECT are not the answer's.
        options.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    }

    private func setContent(_ options: inout CurlOptions) {
        options.set(CURLOPT_ACCEPT_ENCODING, "")
        switch request.method {
        case "GET" where request.body == nil: options.set(CURLOPT_HTTPGET, 1)
        case "HEAD": options.set(CURLOPT_NOBODY, 1)
        default:
            options.set(CURLOPT_CUSTOMREQUEST, request.method)
            if request.body != nil || request.method == "POST" { options.set(CURLOPT_POST, 1) }
            if let body = request.body {
                shim_curl_set_offset(options.handle, CURLOPT_POSTFIELDSIZE_LARGE, Int64(body.count))
                body.withUnsafeBytes {
                    _ = shim_curl_set_pointer(options.handle, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: $0.baseAddress))
                }
            } else if request.method == "POST" {
                options.set(CURLOPT_POSTFIELDSIZE, 0)
            }
        }
        for (name, value) in request.headers + [("Expect", "")] {
            headerList = curl_slist_append(headerList, value.isEmpty ? "\(name):" : "\(name): \(value)")
        }
        shim_curl_set_pointer(options.handle, CURLOPT_HTTPHEADER, headerList)
    }

    // MARK: - From libcurl

    func received(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if case .stream(let continuation) = sink, isSuccess {
            continuation.yield(Array(bytes))
            return true
        }
        if let meter = request.meter, isSuccess { return meter.add(bytes.count) }
        arrived += bytes.count
        guard arrived <= request.bodyLimit else {
            isTooLarge = true
            return false
        }
        if case .pieces(let take, _) = sink, isSuccess {
            isUnwanted = !take(bytes)
            return !isUnwanted
        }
        body.append(contentsOf: bytes)
        return true
    }

    func receivedHeader(_ line: String) {
        if line.hasPrefix("HTTP/") { headers = [:] }
        guard let colon = line.firstIndex(of: ":") else { return }
        let value = line[line.index(after: colon)...].drop { $0 == " " }
        headers[line[..<colon].lowercased()] = String(value.filter { $0 != "\r\n" && $0 != "\r" && $0 != "\n" })
    }

    private var status: Int { handle.map { shim_curl_get_long($0, CURLINFO_RESPONSE_CODE) } ?? 0 }
    private var isSuccess: Bool { (200..<300).contains(status) }

    // MARK: - The end

    /// The handle, which is no longer this transfer's: nothing can be read from it any more. Nil where it knew a password: not
    /// every version of libcurl forgets, on a reset, what it has made of that.
    func releaseHandle() -> UnsafeMutableRawPointer? {
        if request.proxyPassword != nil || request.proxyUser != nil { return nil }
        defer { handle = nil }
        return handle
    }

    func finish(_ result: CURLcode) {
        // One that was ended because enough has come, ended well.
        let isEnough = isUnwanted || (result == CURLE_WRITE_ERROR && request.meter?.isFull == true)
        guard result == CURLE_OK || isEnough, let handle else { return fail(error(result)) }
        let seconds = Double(shim_curl_get_offset(handle, CURLINFO_TOTAL_TIME_T)) / 1e6
        var response = HTTPResponse(status: status, headers: headers, body: body, seconds: seconds)
        switch shim_curl_get_long(handle, CURLINFO_HTTP_VERSION) {
        case Int(CURL_HTTP_VERSION_1_0): response.version = 10
        case Int(CURL_HTTP_VERSION_2_0): response.version = 20
        default: break
        }
        switch sink {
        case .whole(let continuation), .pieces(_, let continuation): continuation.resume(returning: response)
        case .stream(let continuation):
            if isSuccess { continuation.finish() } else { continuation.finish(throwing: StreamRefused(response: response)) }
        }
    }

    func fail(_ error: TransportError) {
        switch sink {
        case .whole(let continuation), .pieces(_, let continuation): continuation.resume(throwing: error)
        case .stream(let continuation): continuation.finish(throwing: error)
        }
    }

    private func error(_ result: CURLcode) -> TransportError {
        let proxyStatus = handle.map { shim_curl_get_long($0, CURLINFO_HTTP_CONNECTCODE) } ?? 0
        let code: TransportError.Code
        switch result {
        case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: code = .connectFailed
        case CURLE_OPERATION_TIMEDOUT: code = .timedOut
        case CURLE_RECV_ERROR where proxyStatus >= 300: code = .proxyRefused
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE: code = .tlsFailed
        case CURLE_WRITE_ERROR where isTooLarge: code = .tooLarge
        default: code = .other
        }
        let isRefused = code == .proxyRefused || (proxyStatus >= 300)
        let message = isRefused ? "the proxy answered CONNECT with \(proxyStatus)" : words(result)
        return TransportError(code: isRefused ? .proxyRefused : code, message: message, proxyStatus: proxyStatus, status: status)
    }

    /// libcurl has one sentence for all that can be wrong with a certificate; OpenSSL knows which it is (X509_V_ERR in x509_vfy.h).
    private func words(_ result: CURLcode) -> String {
        guard result == CURLE_PEER_FAILED_VERIFICATION, let handle else { return String(cString: curl_easy_strerror(result)) }
        let problem = shim_curl_get_long(handle, CURLINFO_SSL_VERIFYRESULT)
        return switch problem {
        // Libcurl itself compares names, and leaves here what it began with.
        case 0, 1: "the server's certificate is for another name"
        case 9: "the server's certificate is not valid yet"
        case 10: "the server's certificate has expired"
        case 2, 18...21: "the server's certificate is not signed by an authority that is trusted here"
        default: "the server's certificate is refused (OpenSSL's reason \(problem))"
        }
    }
}

/// A stream whose answer was not a success: its status and body.
package struct StreamRefused: Error, CustomStringConvertible {
    package var response: HTTPResponse
    package var description: String { "HTTP status \(response.status)" }
}

/// Called by libcurl on its thread; outside of every actor, or they would trap there.
enum TransferCallbacks {
    static let body: shim_curl_data_callback = { data, size, count, context in
        guard let data, let context else { return 0 }
        let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        return transfer.received(UnsafeRawBufferPointer(start: data, count: size * count)) ? size * count : 0
    }

    static let header: shim_curl_data_callback = { data, size, count, context in
        guard let data, let context else { return 0 }
        let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        transfer.receivedHeader(String(decoding: UnsafeRawBufferPointer(start: data, count: size * count), as: UTF8.self))
        return size * count
    }
}
