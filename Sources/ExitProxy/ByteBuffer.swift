/// Bytes that wait: added at the end, taken from the front. An empty one holds no memory.
struct ByteBuffer {
    private var bytes: [UInt8] = []
    private var start = 0

    var count: Int { bytes.count - start }
    var isEmpty: Bool { count == 0 }
    var contents: ArraySlice<UInt8> { bytes[start...] }

    /// Bytes that it takes in memory, with those that were taken from the front and are still there.
    var held: Int { bytes.count }

    mutating func append(_ more: some Collection<UInt8>) {
        // One that is never empty, as of a slow reader, would grow for ever.
        if start > bytes.count / 2 {
            bytes.removeFirst(start)
            start = 0
        }
        bytes.append(contentsOf: more)
    }

    mutating func removeFirst(_ count: Int) {
        start += count
        if start == bytes.count { self = ByteBuffer() }
    }

    /// Reads what the socket has, at most so many bytes.
    mutating func fill(from socket: Socket, atMost limit: Int) -> Transfer {
        withUnsafeTemporaryAllocation(byteCount: limit, alignment: 1) { room in
            let transfer = socket.read(into: room)
            if case .moved(let count) = transfer { append(room[..<count]) }
            return transfer
        }
    }

    /// Writes as much as the socket takes now.
    mutating func drain(to socket: Socket) -> Transfer {
        let transfer = bytes.withUnsafeBytes { socket.write(UnsafeRawBufferPointer(rebasing: $0[start...])) }
        if case .moved(let count) = transfer { removeFirst(count) }
        return transfer
    }
}
