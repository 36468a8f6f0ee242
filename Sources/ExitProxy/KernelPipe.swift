internal import CLinux

/// A pipe through which the kernel moves bytes from one socket to another, without a copy to this process.
final class KernelPipe {
    private let ends: (read: Int32, write: Int32)
    private(set) var count = 0

    init?() {
        var descriptors: (Int32, Int32) = (-1, -1)
        let result = withUnsafeMutableBytes(of: &descriptors) {
            pipe2($0.assumingMemoryBound(to: Int32.self).baseAddress, O_NONBLOCK | O_CLOEXEC)
        }
        guard result == 0 else { return nil }
        ends = descriptors
    }

    deinit {
        close(ends.read)
        close(ends.write)
    }

    func fill(from socket: Socket) -> Transfer {
        let transfer = Transfer(splice(socket.descriptor, nil, ends.write, nil, 1 << 18, Self.flags))
        if case .moved(let moved) = transfer { count += moved }
        return transfer
    }

    func drain(to socket: Socket) -> Transfer {
        let transfer = Transfer(splice(ends.read, nil, socket.descriptor, nil, count, Self.flags))
        if case .moved(let moved) = transfer { count -= moved }
        return transfer
    }

    private static let flags = UInt32(SALLYPORT_SPLICE_MOVE | SALLYPORT_SPLICE_NONBLOCK)
}

/// Pipes for whoever has bytes to move: a connection holds one only while bytes are under way.
final class PipePool {
    private var idle: [KernelPipe] = []
    private var count = 0
    /// Each pipe takes two descriptors.
    private static let limit = 48

    /// - Returns: nil where all are in use: bytes are then copied.
    func take() -> KernelPipe? {
        if let pipe = idle.popLast() { return pipe }
        guard count < Self.limit, let pipe = KernelPipe() else { return nil }
        count += 1
        return pipe
    }

    func put(_ pipe: KernelPipe) {
        if pipe.count == 0 { idle.append(pipe) } else { count -= 1 }
    }
}
