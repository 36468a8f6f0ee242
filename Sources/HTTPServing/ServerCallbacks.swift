import CMicroHTTPD
import CShims
import Glibc
import Platform
import Synchronization

/// Called by MHD on its thread; outside of every actor, or they would trap there.
enum ServerCallbacks {
    /// A connection whose resume is still to come: MHD allows `MHD_resume_connection` from any thread.
    struct Suspended: @unchecked Sendable { let pointer: OpaquePointer }

    static let begin: shim_mhd_uri_logger = { _, target, connection in
        guard let target, let connection = connection.flatMap(of) else { return nil }
        // MHD's own path is percent-decoded already, which would turn %2F into a slash: keep the raw one.
        return Unmanaged.passRetained(connection.begin(target: bytes(target))).toOpaque()
    }

    static let connected: MHD_NotifyConnectionCallback = { context, connection, socketContext, kind in
        guard let context, let connection, let socketContext else { return }
        let server = Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
        if kind == MHD.started {
            let opened = server.open(descriptor: shim_mhd_descriptor(connection), address: clientAddress(of: connection))
            socketContext.pointee = Unmanaged.passRetained(opened).toOpaque()
        } else if let pointer = socketContext.pointee {
            server.closed(Unmanaged<Connection>.fromOpaque(pointer).takeRetainedValue())
            socketContext.pointee = nil
        }
    }

    /// Ours for one of MHD's.
    static func of(_ connection: OpaquePointer) -> Connection? {
        shim_mhd_socket_context(connection).map { Unmanaged<Connection>.fromOpaque($0).takeUnretainedValue() }
    }

    static let completed: shim_mhd_completed = { context, connection, request, _ in
        guard let context, let pointer = request?.pointee else { return }
        let server = Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
        if let connection { of(connection)?.finish(seconds: server.limits.requestSeconds) }
        let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue()
        request?.pointee = nil
        if exchange.isReceived { server.completed() }
    }

    static let handle: shim_mhd_handler = { context, connection, _, method, version, data, size, request in
        guard let context, let connection, let method, let version, let size, let pointer = request?.pointee, let client = of(connection)
        else { return MHD.no }
        let server = Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
        let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
        if let answer = exchange.answer { return send(answer, of: exchange, by: server, on: connection) }
        let begun = exchange.begin { target, targetEnd in
            server.headReading.withLock { reading in
                collect(into: &reading, connection, method, version, targetEnd: targetEnd)
                return client.head(target: target, text: reading.text, limit: server.limits.head)
            }
        }
        let surplusProblem = begun.flatMap { server.surplusProblem($0, client) }
        if let begun, !begun.endsConnection, surplusProblem == nil { return MHD.yes }
        if begun == nil, size.pointee > 0 {
            exchange.receive(UnsafeRawBufferPointer(start: data, count: size.pointee), limit: server.limits.body)
            size.pointee = 0
            return MHD.yes
        }
        guard let (whole, problem) = exchange.request(clientAddress: client.address) else { return MHD.no }
        if let problem = problem ?? surplusProblem { return send(server.refuse(whole, problem), of: exchange, by: server, on: connection) }
        client.deadline.set(nil)
        return answer(whole, of: exchange, by: server, on: connection)
    }

    private static func answer(_ request: ServerRequest, of exchange: Exchange, by server: HTTPServer, on connection: OpaquePointer)
        -> MHD_Result
    {
        exchange.setReceived()
        server.received()
        switch server.dispatch(request) {
        case .ready(let response): return send(response, of: exchange, by: server, on: connection)
        case .waiting(let work):
            guard server.suspends() else { return send(server.refuse(request, .stopping), of: exchange, by: server, on: connection) }
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

    private static func collect(
        into reading: inout HeadReading, _ connection: OpaquePointer, _ method: UnsafePointer<CChar>, _ version: UnsafePointer<CChar>,
        targetEnd: UInt
    ) {
        reading.begin(method: bytes(method), targetEnd: targetEnd, version: bytes(version))
        withUnsafeMutablePointer(to: &reading) { _ = MHD_get_connection_values_n(connection, MHD.headerKind, collectField, $0) }
        reading.end(at: UInt(bitPattern: method) + UInt(shim_mhd_head_size(connection)))
    }

    private static let collectField: MHD_KeyValueIteratorN = { context, _, name, nameSize, value, valueSize in
        guard let reading = context?.assumingMemoryBound(to: HeadReading.self), let name else { return MHD.no }
        reading.pointee.add(
            name: UnsafeRawBufferPointer(start: name, count: nameSize),
            value: UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : valueSize))
        return MHD.yes
    }

    private static func bytes(_ text: UnsafePointer<CChar>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text, count: strlen(text))
    }

    /// In the form in which the system writes it; one of IPv4 that came over an IPv6 socket is one of IPv4.
    private static func clientAddress(of connection: OpaquePointer) -> String {
        var bytes = [UInt8](repeating: 0, count: 16)
        switch shim_mhd_client_address(connection, &bytes) {
        case 4: return bytes.prefix(4).map(String.init).joined(separator: ".")
        case 16:
            let groups = stride(from: 0, to: 16, by: 2).map { String(Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]), radix: 16) }
            return IPNetwork(groups.joined(separator: ":"))?.description ?? ""
        default: return ""
        }
    }
}
