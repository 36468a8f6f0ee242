/// Bytes that many answers send, each without a copy of its own.
package final class SharedBytes: Sendable {
    // Written by `init` alone, and freed when nobody has it any more.
    nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

    package init(_ array: [UInt8]) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, array.count), alignment: 16)
        copy.copyBytes(from: array)
        bytes = UnsafeRawBufferPointer(rebasing: copy[..<array.count])
    }

    deinit { UnsafeMutableRawPointer(mutating: bytes.baseAddress)?.deallocate() }

    package var count: Int { bytes.count }
    package var array: [UInt8] { Array(bytes) }
}
