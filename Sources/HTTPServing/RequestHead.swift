import Model
import Synchronization

/// The head of a request, read and checked once. A connection that sends the same bytes again gets the same object, so what follows from
/// the head alone is worked out once, and kept here.
package final class RequestHead: Sendable {
    package let method: String
    /// Segments of the raw path, each percent-decoded after the split: an encoded slash never makes a new segment. Empty where the
    /// target can't be read.
    package let path: [String]
    package let query: [(name: String, value: String)]
    /// By lower-case name.
    package let headers: [String: String]
    /// The request's id as the caller gave it, where that is plain.
    let givenID: String?
    /// Why the request can't be used.
    let problem: APIProblem?
    /// True where nothing that follows on its connection could be told apart.
    let endsConnection: Bool
    private let analyzed = Mutex<(any AnyObject & Sendable)?>(nil)

    package init(method: String, path: [String], query: [(name: String, value: String)] = [], headers: [String: String] = [:]) {
        (self.method, self.path, self.query, self.headers) = (method, path, query, headers)
        (givenID, problem, endsConnection) = (nil, nil, false)
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
        givenID = RequestID.given(fields.headers["x-request-id"])
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

    /// An analysis of this head, made once; all callers must ask for the same type.
    package func analysis<Analysis: AnyObject & Sendable>(_ make: () -> Analysis) -> Analysis {
        if let present = analyzed.withLock({ $0 }) as? Analysis { return present }
        let made = make()
        analyzed.withLock { $0 = made }
        return made
    }
}
