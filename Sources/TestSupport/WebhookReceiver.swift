import Synchronization

/// A receiver of webhooks: notes what comes, and answers as it is told.
package final class WebhookReceiver: Sendable {
    package struct Request: Sendable {
        /// The event's id.
        package var id: String
        package var head: String
        package var body: String
    }

    private let seen = Mutex<[Request]>([])
    private let server: ScriptedServer

    /// - Parameter answer: called for each request, which is counted from 1.
    package convenience init(_ answer: @escaping @Sendable (_ number: Int, ScriptedConnection) -> Void = { $1.answer(204) }) throws {
        try self.init(each: { number, _, connection in answer(number, connection) })
    }

    /// - Parameter status: what a request is answered with.
    package convenience init(status: @escaping @Sendable (Request) -> Int) throws {
        try self.init(each: { _, request, connection in _ = connection.answer(status(request)) })
    }

    private init(each answer: @escaping @Sendable (Int, Request, ScriptedConnection) -> Void) throws {
        let box = Box()
        server = try ScriptedServer { connection in
            while let (head, body) = connection.request() {
                let name = "X-Sallyport-Delivery: "
                let id = head.split(separator: "\r\n").first { $0.hasPrefix(name) }.map { String($0.dropFirst(name.count)) }
                let request = Request(id: id ?? "", head: head, body: String(decoding: body, as: UTF8.self))
                answer(box.note(request), request, connection)
            }
        }
        box.receiver.withLock { $0 = self }
    }

    /// What the server's script holds, for it is made before the receiver is.
    private final class Box: Sendable {
        let receiver = Mutex<WebhookReceiver?>(nil)

        func note(_ request: Request) -> Int {
            receiver.withLock { $0 }?.seen.withLock { seen in
                seen.append(request)
                return seen.count
            } ?? 0
        }
    }

    package var port: Int { server.port }
    package var url: String { "http://127.0.0.1:\(port)/hook" }
    package var requests: [Request] { seen.withLock { $0 } }
    /// The events' ids in the order in which they came, tries of one event told once.
    package var ids: [String] { requests.map(\.id).reduce(into: []) { if $0.last != $1 { $0.append($1) } } }
    package func stop() { server.stop() }
}
