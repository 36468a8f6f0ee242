/// One request of HTTP/1: a CONNECT, or one with an absolute URI.
struct Request: Equatable {
    let method: String
    let target: Target
    /// Path and query; nil of a CONNECT.
    let path: ArraySlice<UInt8>?
    var head: Head
    let isOneOne: Bool
    var body: BodyScanner
    let credentials: ArraySlice<UInt8>?

    enum Fault: String, Error {
        case malformed = "bad_header"
        case tooLarge = "head_too_large"
        /// Neither a CONNECT nor an absolute URI of `http`.
        case notForAProxy = "not_a_proxy_request"
        case badTarget = "bad_target"

        var status: Int { self == .tooLarge ? 431 : 400 }
    }

    /// A gateway's own method: a connection to the target is made, for the request that follows.
    static let preparing = "PREPARE"

    /// By which the request takes a connection that was prepared for it.
    var ticket: UInt64? { number("x-sallyport-ticket") }

    /// Milliseconds after which a gateway wants to know that it is not ready.
    var silence: Int? { number("x-sallyport-silence").map { min(max(Int(clamping: $0), 100), 5000) } }

    private func number(_ field: String) -> UInt64? {
        head.values(field).first.flatMap { UInt64(String(decoding: $0, as: UTF8.self)) }
    }

    /// - Returns: the request, and the bytes that its head takes; nil where it is not whole yet.
    static func read(_ bytes: ArraySlice<UInt8>) throws(Fault) -> (request: Request, size: Int)? {
        let read: (head: Head, size: Int)?
        do throws(Head.Fault) { read = try Head.read(bytes, isStrict: true) } catch { throw error == .tooLarge ? .tooLarge : .malformed }
        guard let (head, size) = read else { return nil }
        return (try Request(head), size)
    }

    private init(_ head: Head) throws(Fault) {
        guard head.line.count == 3, !head.line[0].isEmpty, head.line[0].allSatisfy(Head.isToken), let version = Self.version(head.line[2])
        else {
            throw .malformed
        }
        method = String(decoding: head.line[0], as: UTF8.self)
        isOneOne = version
        self.head = head
        if method == "CONNECT" || method == Self.preparing {
            guard let target = Target(authority: head.line[1]) else { throw .badTarget }
            self.target = target
            path = nil
            body = .none
        } else if method == "GET", head.line[1].elementsEqual("/status".utf8) {
            (target, path, body) = (.status, head.line[1], .none)
        } else {
            guard head.line[1].first != 47, head.line[1] != [42] else { throw .notForAProxy }
            guard head.line[1].allSatisfy({ $0 > 32 }), let (target, path) = Target.read(uri: head.line[1]) else { throw .badTarget }
            self.target = target
            self.path = path
            do throws(BodyScanner.Fault) { body = try BodyScanner(of: head, isOneOne: version, absent: .none) } catch { throw .malformed }
        }
        credentials = head.values("proxy-authorization").first
    }

    private static func version(_ word: ArraySlice<UInt8>) -> Bool? {
        word.elementsEqual("HTTP/1.1".utf8) ? true : word.elementsEqual("HTTP/1.0".utf8) ? false : nil
    }

    /// Whether the client may send another request on the same connection.
    var keepsAlive: Bool {
        let words = head.words("connection") + head.words("proxy-connection")
        return isOneOne ? !words.contains("close") : words.contains("keep-alive")
    }

    var upgrades: Bool { isOneOne && head.words("connection").contains("upgrade") && !head.values("upgrade").isEmpty }

    /// As the target gets it: with its path alone, and without what is between the client and this proxy.
    func write(to buffer: inout ByteBuffer) {
        var head = head
        let upgrades = upgrades
        head.removeHopByHop(keeping: upgrades ? ["upgrade"] : [])
        head.fields.removeAll { $0.name == "x-sallyport-ticket" || $0.name == "x-sallyport-silence" }
        if upgrades { head.fields.append(Head.Field(name: "connection", value: Array("upgrade".utf8)[...])) }
        let version: [UInt8] = Array((isOneOne ? "HTTP/1.1" : "HTTP/1.0").utf8)
        head.write(to: &buffer, line: [Array(method.utf8), Array(path ?? []), version])
    }
}

/// What a target has answered.
struct Answer: Equatable {
    let status: Int
    var head: Head
    let isOneOne: Bool
    var body: BodyScanner

    enum Fault: Error { case malformed }

    /// - Parameter method: of the request.
    /// - Returns: the answer, and the bytes that its head takes; nil where it is not whole yet.
    static func read(_ bytes: ArraySlice<UInt8>, to method: String) throws(Fault) -> (answer: Answer, size: Int)? {
        let read: (head: Head, size: Int)?
        do throws(Head.Fault) { read = try Head.read(bytes, isStrict: false) } catch { throw .malformed }
        guard let (head, size) = read else { return nil }
        return (try Answer(head, to: method), size)
    }

    private init(_ head: Head, to method: String) throws(Fault) {
        guard head.line.count >= 2, head.line[1].count == 3, head.line[1].allSatisfy({ (48...57).contains($0) }) else {
            throw .malformed
        }
        guard head.line[0].elementsEqual("HTTP/1.1".utf8) || head.line[0].elementsEqual("HTTP/1.0".utf8) else { throw .malformed }
        status = head.line[1].reduce(0) { $0 * 10 + Int($1 - 48) }
        isOneOne = head.line[0].last == 49
        self.head = head
        let hasNone = method == "HEAD" || (100...199).contains(status) || status == 204 || status == 304
        do throws(BodyScanner.Fault) {
            body = hasNone ? .none : try BodyScanner(of: head, isOneOne: isOneOne, absent: .untilClose)
        } catch { throw .malformed }
    }

    /// An answer before the answer: 100, 103 and the like.
    var isInterim: Bool { (100...199).contains(status) && status != 101 }

    var keepsAlive: Bool {
        let words = head.words("connection")
        return !body.endsWithConnection && (isOneOne ? !words.contains("close") : words.contains("keep-alive"))
    }

    /// As the client gets it.
    func write(to buffer: inout ByteBuffer, closes: Bool) {
        var head = head
        head.removeHopByHop(keeping: status == 101 ? ["upgrade"] : [])
        head.fields.removeAll { $0.name == "x-sallyport-reason" }
        if status == 101 { head.fields.append(Head.Field(name: "connection", value: Array("upgrade".utf8)[...])) }
        if closes { head.fields.append(Head.Field(name: "connection", value: Array("close".utf8)[...])) }
        head.write(to: &buffer, line: [Array("HTTP/1.1".utf8)[...]] + head.line.dropFirst())
    }
}
