import CMicroHTTPD
import CShims

/// Answers on their way out.
extension ServerCallbacks {
    static func send(
        _ answer: ServerResponse, of exchange: Exchange, by server: HTTPServer, on connection: OpaquePointer
    ) -> MHD_Result {
        let client = of(connection)
        client?.deadline.set(answer.stream == nil ? server.limits.answerSeconds : nil)
        guard let made = response(of: answer, by: server, on: connection) else { return MHD.no }
        defer { MHD_destroy_response(made) }
        for (name, value) in answer.headers { add(name, value, to: made) }
        answer.constant?.forEach { name, value in _ = MHD_add_response_header(made, name, value) }
        add("X-Request-ID", exchange.id, to: made)
        if client?.isSurplus == true, !answer.headers.contains(where: { $0.name == "Connection" }) { add("Connection", "close", to: made) }
        return MHD_queue_response(connection, UInt32(answer.status), made)
    }

    /// Handed over as they are, where a String as an argument would be copied into an array first.
    private static func add(_ name: String, _ value: String, to response: OpaquePointer) {
        name.withCString { name in value.withCString { value in _ = MHD_add_response_header(response, name, value) } }
    }

    private static func response(of answer: ServerResponse, by server: HTTPServer, on connection: OpaquePointer) -> OpaquePointer? {
        if let stream = answer.stream {
            let context = StreamContext(stream: stream, server: server, connection: connection)
            return MHD_create_response_from_callback(
                UInt64.max, 16 << 10, readStream, Unmanaged.passRetained(context).toOpaque(), endStream)
        }
        if let shared = answer.shared {
            return MHD_create_response_from_buffer_with_free_callback_cls(
                shared.count, UnsafeMutableRawPointer(mutating: shared.bytes.baseAddress), releaseBytes,
                Unmanaged.passRetained(shared).toOpaque())
        }
        return answer.body.withUnsafeBytes { bytes in
            MHD_create_response_from_buffer(bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress), MHD.mustCopy)
        }
    }

    private static let releaseBytes: MHD_ContentReaderFreeCallback = { context in
        if let context { Unmanaged<SharedBytes>.fromOpaque(context).release() }
    }

    // MARK: - Streams

    /// What libmicrohttpd's reader of a stream gets; used on the server's thread alone.
    private final class StreamContext {
        let stream: BodyStream
        let server: HTTPServer
        let connection: OpaquePointer

        init(stream: BodyStream, server: HTTPServer, connection: OpaquePointer) {
            self.stream = stream
            self.server = server
            self.connection = connection
            server.began(stream)
            if let client = ServerCallbacks.of(connection) { stream.watch { client.deadline.peerHasLeft } }
        }
    }

    private static let readStream: MHD_ContentReaderCallback = { context, _, buffer, size in
        guard let context, let buffer else { return -1 }
        let this = Unmanaged<StreamContext>.fromOpaque(context).takeUnretainedValue()
        let server = this.server
        let piece = this.stream.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: size)) {
            guard server.suspends() else { return nil }
            MHD_suspend_connection(this.connection)
            let suspended = Suspended(pointer: this.connection)
            return {
                MHD_resume_connection(suspended.pointer)
                server.resumed()
            }
        }
        switch piece {
        case .bytes(let count): return count
        case .nothingYet: return 0
        // MHD_CONTENT_READER_END_OF_STREAM
        case .end: return -1
        }
    }

    private static let endStream: MHD_ContentReaderFreeCallback = { context in
        guard let context else { return }
        let this = Unmanaged<StreamContext>.fromOpaque(context).takeRetainedValue()
        this.server.ended(this.stream)
        this.stream.end()
    }
}
