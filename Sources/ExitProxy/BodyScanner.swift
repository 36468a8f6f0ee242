/// Where a body ends, by RFC 9112, section 6. It is handed on byte by byte as it came.
struct BodyScanner: Equatable {
    private enum State: Equatable {
        case done
        case length(UInt64)
        case untilClose
        /// Digits of a chunk's size so far, and its value.
        case size(digits: Int, UInt64)
        case chunkExtension(size: UInt64, length: Int)
        case sizeEnd(UInt64)
        case data(UInt64)
        case dataEnd, dataEndLine
        /// Trailers: bytes of this line, bytes of all.
        case trailer(line: Int, all: Int)
        case trailerEnd(line: Int, all: Int)
    }

    private var state: State

    static let none = BodyScanner(state: .done)
    static let untilClose = BodyScanner(state: .untilClose)

    var isDone: Bool { state == .done }
    var endsWithConnection: Bool { state == .untilClose }

    enum Fault: Error, Equatable { case malformed }

    /// What a head says of its body.
    /// - Parameter absent: what holds where it says nothing.
    init(of head: Head, isOneOne: Bool, absent: BodyScanner) throws(Fault) {
        let (codings, lengths) = (head.words("transfer-encoding"), head.values("content-length"))
        if !codings.isEmpty || !head.values("transfer-encoding").isEmpty {
            guard codings == ["chunked"], lengths.isEmpty, isOneOne else { throw .malformed }
            state = .size(digits: 0, 0)
        } else if let text = lengths.first {
            guard lengths.count == 1, (1...18).contains(text.count), text.allSatisfy({ (48...57).contains($0) }) else { throw .malformed }
            let length = text.reduce(0 as UInt64) { $0 * 10 + UInt64($1 - 48) }
            state = length == 0 ? .done : .length(length)
        } else {
            state = absent.state
        }
    }

    private init(state: State) { self.state = state }

    /// How many of the bytes belong to the body.
    mutating func take(_ bytes: ArraySlice<UInt8>) throws(Fault) -> Int {
        var place = bytes.startIndex
        while place < bytes.endIndex, state != .done {
            switch state {
            case .untilClose: place = bytes.endIndex
            case .length(let rest): place += skip(rest, bytes.endIndex - place) { $0 == 0 ? .done : .length($0) }
            case .data(let rest): place += skip(rest, bytes.endIndex - place) { $0 == 0 ? .dataEnd : .data($0) }
            default:
                state = try next(bytes[place])
                place += 1
            }
        }
        return place - bytes.startIndex
    }

    private mutating func skip(_ rest: UInt64, _ there: Int, _ after: (UInt64) -> State) -> Int {
        let taken = Int(min(rest, UInt64(there)))
        state = after(rest - UInt64(taken))
        return taken
    }

    /// The state behind one byte of a chunked body that is no data.
    private func next(_ byte: UInt8) throws(Fault) -> State {
        switch (state, byte) {
        case (.size(let digits, let size), _) where Self.digit(byte) != nil && digits < 15:
            return .size(digits: digits + 1, size << 4 | (Self.digit(byte) ?? 0))
        case (.size(1..., let size), 13): return .sizeEnd(size)
        case (.size(1..., let size), 59), (.size(1..., let size), 32), (.size(1..., let size), 9):
            return .chunkExtension(size: size, length: 0)
        case (.chunkExtension(let size, _), 13): return .sizeEnd(size)
        case (.chunkExtension(let size, let length), 32...126) where length < 1024: return .chunkExtension(size: size, length: length + 1)
        case (.sizeEnd(let size), 10): return size == 0 ? .trailer(line: 0, all: 0) : .data(size)
        case (.dataEnd, 13): return .dataEndLine
        case (.dataEndLine, 10): return .size(digits: 0, 0)
        case (.trailer(let line, let all), 13): return .trailerEnd(line: line, all: all)
        case (.trailer(let line, let all), 32...126) where all < 16_384: return .trailer(line: line + 1, all: all + 1)
        case (.trailerEnd(let line, let all), 10): return line == 0 ? .done : .trailer(line: 0, all: all)
        default: throw .malformed
        }
    }

    private static func digit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case 48...57: UInt64(byte - 48)
        case 65...70: UInt64(byte - 55)
        case 97...102: UInt64(byte - 87)
        default: nil
        }
    }
}
