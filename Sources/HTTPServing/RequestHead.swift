import Model
import Synchronization

/// What the head of a request says, read and checked once. Where a connection says the same again, its next request has this one too:
/// what can be known of a request by its head alone is worked out once, and kept here.
package final class RequestHead: Sendable {
    package let method: String
    /// Segments of the raw path, each percent-decoded after the split: an encoded slash never makes a new segment. Empty where the
    /// target can't be read.
    package let path: [String]
    package let query: [(name: String, value: String)]
    /// By lower-case name.
    package let headers: [String: String]
    /// The caller's own name for the request, where that is plain.
    let name: String?
    /// Why the request can't be used.
    let problem: APIProblem?
    /// True where nothing that follows on its connection could be told apart.
    let endsConnection: Bool
    private let kept = Mutex<(any AnyObject & Sendable)?>(nil)

    package init(method: String, path: [String], query: [(name: String, value: String)] = [], headers: [String: String] = [:]) {
        (self.method, self.path, self.query, self.headers) = (method, path, query, headers)
        (name, problem, endsConnection) = (nil, nil, false)
    }

    /// - Parameter limit: bytes that target and fields may have.
    init(target: [UInt8], text: HeadText, limit: Int) {
        var (fields, method, version) = (HeadFields(), "", "")
        var (place, name) = (0, Slice(base: UnsafeRawBufferPointer(start: nil, count: 0), bounds: 0..<0))
        text.forEach { part in
            switch place {
            case 0: method = String(decoding: part, as: UTF8.self)
            case 1: version = String(decoding: part, as: UTF8.self)
            case let place where place.isMultiple(of: 2): name = part
            default: fields.add(name, part)
            }
            place += 1
        }
        fields.checkFraming(version: version)
        let target = (text: RequestTarget.parse(String(decoding: target, as: UTF8.self)), size: target.count)
        self.method = method
        path = target.text?.path ?? []
        query = target.text?.query ?? []
        headers = fields.headers
        self.name = RequestName.plain(fields.headers["x-request-id"])
        endsConnection = fields.flaw != nil
        problem =
            if let flaw = fields.flaw {
                APIProblem(status: 400, code: "bad_head", message: flaw, headers: [("Connection", "close")])
            } else if fields.count > HeadFields.limit {
                APIProblem(status: 431, code: "head_too_large", message: "the head has more than \(HeadFields.limit) fields")
            } else if fields.size + target.size > limit {
                APIProblem(status: 431, code: "head_too_large", message: "the head has more than \(limit) bytes")
            } else if target.text == nil {
                APIProblem(status: 400, code: "bad_target", message: "the request's path or query is malformed")
            } else {
                nil
            }
    }

    /// The same without its query.
    package var withoutQuery: RequestHead { RequestHead(method: method, path: path, headers: headers) }

    /// What somebody makes of this head, made once; there is one who asks.
    package func kept<Meaning: AnyObject & Sendable>(_ make: () -> Meaning) -> Meaning {
        if let kept = kept.withLock({ $0 }) as? Meaning { return kept }
        let made = make()
        kept.withLock { $0 = made }
        return made
    }
}
