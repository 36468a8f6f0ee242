/// A head while libmicrohttpd tells of its parts.
struct HeadReading {
    var text = HeadText()
    fileprivate(set) var span = HeadSpan()

    /// The parts that come first.
    /// - Parameter targetEnd: where the target ends in libmicrohttpd's memory.
    mutating func begin(method: UnsafeRawBufferPointer, targetEnd: UInt, version: UnsafeRawBufferPointer) {
        text.removeAll()
        text.append(method)
        text.append(version)
        span = HeadSpan(end: targetEnd)
        span.take(version, behind: 1...1)
    }

    mutating func add(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        text.append(name)
        text.append(value)
        // A line break of one or two bytes; a colon and blanks.
        span.take(name, behind: 1...2)
        span.take(value, behind: 1...UInt(Int.max))
    }

    /// - Parameter place: the first byte behind the head.
    mutating func end(at place: UInt) {
        span.take(place, behind: 2...4)
        guard span.hidesSomething else { return }
        // As a field that is refused for what it is, also by a connection that keeps this head.
        "x".withContiguousBytes { text.append($0) }
        "\0".withContiguousBytes { text.append($0) }
    }
}

extension String {
    fileprivate func withContiguousBytes(_ body: (UnsafeRawBufferPointer) -> Void) { Array(utf8).withUnsafeBytes(body) }
}

/// Follows the parts of a head through libmicrohttpd's memory, where they lie one behind another as they came.
///
/// libmicrohttpd 0.9.75 takes each part for a C string, which ends at its first NUL, and puts a NUL in place of each line break. So what a
/// client has written behind a NUL of its own shows as a gap between two parts that is wider than a line break. A value that goes on in a
/// second line is copied to another place, and shows in the same way.
struct HeadSpan {
    /// Where the last part ends.
    fileprivate var end: UInt = 0
    /// True where there is more than the parts say.
    private(set) var hidesSomething = false

    /// - Parameter gap: bytes that may lie between the last part and this one.
    mutating func take(_ part: UnsafeRawBufferPointer, behind gap: ClosedRange<UInt>) {
        let place = UInt(bitPattern: part.baseAddress)
        take(place, behind: gap)
        end = place + UInt(part.count)
    }

    mutating func take(_ place: UInt, behind gap: ClosedRange<UInt>) {
        if place < end || !gap.contains(place - end) { hidesSomething = true }
    }
}
