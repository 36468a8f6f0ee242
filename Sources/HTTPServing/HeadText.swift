/// What a request's head says after its target, as bytes: method, version, and each field's name and value, every part behind its
/// length, so that no two heads have the same bytes.
struct HeadText: Equatable {
    private(set) var bytes: [UInt8] = []

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    mutating func append(_ part: UnsafeRawBufferPointer) {
        withUnsafeBytes(of: UInt32(part.count)) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: part)
    }

    /// The same in memory of its own, and no more of that than it needs: where one long head was read, all that are read behind it
    /// are short ones in much memory.
    var copy: HeadText { HeadText(bytes: bytes.withUnsafeBytes { Array($0) }) }

    /// Calls the body with each part, in the order in which they were added.
    func forEach(_ body: (Slice<UnsafeRawBufferPointer>) -> Void) {
        bytes.withUnsafeBytes { bytes in
            var place = 0
            while place < bytes.count {
                let begin = place + MemoryLayout<UInt32>.size
                let end = begin + Int(bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
                body(bytes[begin..<end])
                place = end
            }
        }
    }
}
