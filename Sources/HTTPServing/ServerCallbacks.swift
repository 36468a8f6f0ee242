import CMicroHTTPD
import CShims

/// Called by MHD on its thread; outside of every actor, or they would trap there.
enum ServerCallbacks {
    /// A connection whose resume is still to come: MHD allows `MHD_resume_connection` from any thread.
    struct Suspended: @unchecked Sendable { let pointer: OpaquePointer }

    static let begin: shim_mhd_uri_logger = { _, target, _ in
        // MHD's own path is percent-decoded already, which would turn %2F into a slash: keep the raw one.
        Unmanaged.passRetained(Exchange(target: target.map { String(cString: $0) } ?? "")).toOpaque()
    }

    static let connected: MHD_NotifyConnectionCallback = { context, connection, socketContext, kind in
        guard let context, let connection, let socketContext else { return }
        let server = Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
        if kind == MHD.started {
            let clock = ConnectionClock(
                descriptor: shim_mhd_descriptor(connection), address: clientAddress(of: connection), seconds: server.limits.requestSeconds)
            server.opened(clock)
            socketContext.pointee = Unmanaged.passRetained(clock).toOpaque()
        } else if let pointer = socketContext.pointee {
            server.closed(Unmanaged<ConnectionClock>.fromOpaque(pointer).takeRetainedValue())
            socketContext.pointee = nil
        }
    }

    static func clock(of connection: OpaquePointer) -> ConnectionClock? {
        shim_mhd_socket_context(connection).map { Unmanaged<ConnectionClock>.fromOpaque($0).takeUnretainedValue() }
    }

    static let completed: shim_mhd_completed = { context, connection, request, _ in
        guard let context, let pointer = request?.pointee else { return }
        let server = Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
        if let connection { clock(of: connection)?.set(server.limits.requestSeconds) }
        let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue()
        request?.pointee = nil
        if exchange.isReceived { server.completed() }
    }

    static let handle: shim_mhd_handler = { context, connection, _, method, version, data, size, request in
        guard let context, let connection, let size, let pointer = request?.pointee else { return MHD.no }
        let server = Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
        let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
        if let answer = exchange.answer { return send(answer, of: exchange, by: server, on: connection) }
        let isFirst = exchange.begin(
            method: { method.map { String(cString: $0) } ?? "" }, version: { version.map { String(cString: $0) } ?? "" },
            head: { head(of: connection) }, limit: server.limits.head)
        if isFirst {
            guard let flaw = exchange.flaw else { return MHD.yes }
            return refuse(flaw, exchange, by: server, on: connection)
        }
        if size.pointee > 0 {
            exchange.receive(UnsafeRawBufferPointer(start: data, count: size.pointee), limit: server.limits.body)
            size.pointee = 0
            return MHD.yes
        }
        let clock = clock(of: connection)
        let (whole, problem) = exchange.request(clientAddress: clock?.address ?? "")
        if let problem { return send(server.refuse(whole, problem), of: exchange, by: server, on: connection) }
        clock?.set(nil)
        return answer(whole, of: exchange, by: server, on: connection)
    }

    private static func refuse(_ problem: APIProblem, _ exchange: Exchange, by server: HTTPServer, on connection: OpaquePointer)
        -> MHD_Result
    {
        let request = exchange.request(clientAddress: clock(of: connection)?.address ?? "").request
        return send(server.refuse(request, problem), of: exchange, by: server, on: connection)
    }

    private static func answer(_ request: ServerRequest, of exchange: Exchange, by server: HTTPServer, on connection: OpaquePointer)
        -> MHD_Result
    {
        exchange.setReceived()
        server.received()
        switch server.dispatch(request) {
        case .ready(let response): return send(response, of: exchange, by: server, on: connection)
        case .waiting(let work):
            guard server.suspends() else { return refuse(.stopping, exchange, by: server, on: connection) }
            MHD_suspend_connection(connection)
            let suspended = Suspended(pointer: connection)
            @Sendable func resume(with answer: ServerResponse) {
                guard exchange.setAnswer(answer) else { return }
                MHD_resume_connection(suspended.pointer)
                server.resumed(exchange)
            }
            server.waits(exchange) { resume(with: server.refuse(request, .stopping)) }
            Task { resume(with: await work()) }
            return MHD.yes
        }
    }

    // MARK: - What MHD knows of a request

    private static func head(of connection: OpaquePointer) -> RequestHead {
        var head = RequestHead()
        withUnsafeMutablePointer(to: &head) { pointer in
            _ = MHD_get_connection_values_n(connection, MHD.headerKind, collect, pointer)
        }
        return head
    }

    private static let collect: MHD_KeyValueIteratorN = { context, _, name, nameSize, value, valueSize in
        guard let context, let name else { return MHD.no }
        func bytes(_ start: UnsafePointer<CChar>?, _ size: Int) -> UnsafeBufferPointer<UInt8> {
            UnsafeBufferPointer(start: UnsafeRawPointer(start)?.assumingMemoryBound(to: UInt8.self), count: start == nil ? 0 : size)
        }
        context.assumingMemoryBound(to: RequestHead.self).pointee.add(bytes(name, nameSize), bytes(value, valueSize))
        return MHD.yes
    }

    private static func clientAddress(of connection: OpaquePointer) -> String {
        var bytes = [UInt8](repeating: 0, count: 16)
        switch shim_mhd_client_address(connection, &bytes) {
        case 4: return bytes.prefix(4).map(String.init).joined(separator: ".")
        case 16:
            return stride(from: 0, to: 16, by: 2).map { String(Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]), radix: 16) }.joined(separator: ":")
        default: return ""
        }
    }
}
